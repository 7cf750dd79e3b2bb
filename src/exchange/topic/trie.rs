//! Binding keys as a tree of words, changed in place.
//!
//! A node is the part of a pattern from the root to it. It has children by word, one for `*` and one for `#`, the
//! targets bound to exactly that pattern, and the number of bindings there and below, so that it goes when the
//! last of them goes.

use std::num::NonZeroUsize;

use foldhash::{HashMap, HashMapExt};

use super::words::{WordId, Words};
use crate::exchange::router::Target;
use crate::exchange::targets::Targets;

/// The index of a node that is not the root: nobody has the root as a child.
pub(super) type ChildId = NonZeroUsize;

/// The root's index.
pub(super) const ROOT: usize = 0;

pub(super) struct Trie<T> {
    nodes: Vec<Node<T>>,
    free: Vec<ChildId>,
    pub(super) words: Words,
}

pub(super) struct Node<T> {
    literals: Literals,
    pub(super) star: Option<ChildId>,
    /// The child for `#`. Its own children are words only: see [`steps`].
    pub(super) hash: Option<ChildId>,
    /// In a node for `#`: the nearest one above it.
    pub(super) hash_above: Option<ChildId>,
    /// Bindings of this pattern and of those that it begins.
    pub(super) bindings: usize,
    /// No pattern below ends after fewer words than this from here.
    shortest: usize,
    /// Nor after more. Both stay when patterns go, until the node goes: they are bounds, good for not following a
    /// key that cannot match any more.
    longest: usize,
    pub(super) targets: Targets<T>,
}

/// The children by word. Most nodes have one or none.
enum Literals {
    None,
    One(WordId, ChildId),
    /// Boxed, since every node has the room for it.
    Many(Box<HashMap<WordId, ChildId>>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Word(WordId),
    Star,
    Hash,
}

impl<T> Default for Trie<T> {
    fn default() -> Self {
        Self { nodes: vec![Node::default()], free: Vec::new(), words: Words::default() }
    }
}

impl<T> Default for Node<T> {
    fn default() -> Self {
        Self {
            literals: Literals::None,
            star: None,
            hash: None,
            hash_above: None,
            bindings: 0,
            shortest: usize::MAX,
            longest: 0,
            targets: Targets::default(),
        }
    }
}

/// The words of a key. As in RabbitMQ, the empty key has none, and `.` has two empty ones.
pub(super) fn words(key: &str) -> impl Iterator<Item = &str> {
    key.split('.').take(if key.is_empty() { 0 } else { usize::MAX })
}

/// How many words a key has.
pub(super) fn count(key: &str) -> usize {
    if key.is_empty() { 0 } else { 1 + key.bytes().filter(|byte| *byte == b'.').count() }
}

/// The steps of a pattern through the trie; none if `number` does not know one of its words.
///
/// In a run of wildcards only the number of `*` and whether there is a `#` matter, so `#` goes last and once:
/// `#.*.#` becomes `*.#`. A node for `#` therefore has only words below it.
fn steps(pattern: &str, mut number: impl FnMut(&str) -> Option<WordId>) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    let mut hash = None;
    for word in words(pattern) {
        match word {
            "#" => hash = Some(Step::Hash),
            "*" => steps.push(Step::Star),
            word => {
                steps.extend(hash.take());
                steps.push(Step::Word(number(word)?));
            }
        }
    }
    steps.extend(hash);
    Some(steps)
}

impl<T: Target> Trie<T> {
    pub(super) fn node(&self, id: usize) -> Option<&Node<T>> {
        self.nodes.get(id)
    }

    pub(super) fn bind(&mut self, pattern: &str, target: &T) {
        let Some(steps) = steps(pattern, |word| Some(self.words.number(word))) else { return };
        let mut at = ROOT;
        let mut hash_above = None;
        let mut rest = steps.as_slice();
        self.pass(at, rest);
        while let Some((&step, after)) = rest.split_first() {
            let next = match self.node(at).and_then(|node| node.child(step)) {
                Some(child) => child,
                None => self.grow(at, step, hash_above),
            };
            if step == Step::Hash {
                hash_above = Some(next);
            }
            at = next.get();
            rest = after;
            self.pass(at, rest);
        }
        if let Some(node) = self.nodes.get_mut(at) {
            node.targets.add(target);
        }
    }

    pub(super) fn unbind(&mut self, pattern: &str, target: &T) {
        let Some(steps) = steps(pattern, |word| self.words.get(word)) else { return };
        let mut path = Vec::with_capacity(steps.len());
        let mut at = ROOT;
        for step in steps {
            let Some(child) = self.node(at).and_then(|node| node.child(step)) else { return };
            path.push((at, step, child));
            at = child.get();
        }
        if !self.nodes.get_mut(at).is_some_and(|node| node.targets.remove(target)) {
            return;
        }
        for (parent, step, child) in path.into_iter().rev() {
            if self.leave(child.get()) {
                self.prune(parent, step, child);
            }
        }
        if self.leave(ROOT) {
            *self = Self::default();
        }
    }

    /// Counts in a pattern that goes through or ends at the node, with `rest` of its steps still to come.
    fn pass(&mut self, id: usize, rest: &[Step]) {
        let Some(node) = self.nodes.get_mut(id) else { return };
        let words = rest.iter().filter(|step| **step != Step::Hash).count();
        node.bindings += 1;
        node.shortest = node.shortest.min(words);
        node.longest = node.longest.max(if words == rest.len() { words } else { usize::MAX });
    }

    /// Counts a pattern out; true if it was the last.
    fn leave(&mut self, id: usize) -> bool {
        let Some(node) = self.nodes.get_mut(id) else { return false };
        node.bindings -= 1;
        node.bindings == 0
    }

    fn grow(&mut self, parent: usize, step: Step, hash_above: Option<ChildId>) -> ChildId {
        let id = self.free.pop().unwrap_or_else(|| {
            self.nodes.push(Node::default());
            // The root is there, so the new node's index is the number of nodes below the root.
            NonZeroUsize::MIN.saturating_add(self.nodes.len() - 2)
        });
        if let Some(node) = self.nodes.get_mut(id.get()) {
            *node = Node { hash_above: hash_above.filter(|_| step == Step::Hash), ..Node::default() };
        }
        if let Some(parent) = self.nodes.get_mut(parent) {
            match step {
                Step::Word(word) => {
                    parent.literals.insert(word, id);
                    self.words.edge_added(word);
                }
                Step::Star => parent.star = Some(id),
                Step::Hash => parent.hash = Some(id),
            }
        }
        id
    }

    fn prune(&mut self, parent: usize, step: Step, child: ChildId) {
        if let Some(parent) = self.nodes.get_mut(parent) {
            match step {
                Step::Word(word) => {
                    parent.literals.remove(word);
                    self.words.edge_removed(word);
                }
                Step::Star => parent.star = None,
                Step::Hash => parent.hash = None,
            }
        }
        if let Some(node) = self.nodes.get_mut(child.get()) {
            *node = Node::default();
        }
        self.free.push(child);
    }

    #[cfg(test)]
    pub(super) fn nodes(&self) -> usize {
        self.nodes.len() - self.free.len()
    }
}

impl<T> Node<T> {
    pub(super) fn literal(&self, word: WordId) -> Option<ChildId> {
        match &self.literals {
            Literals::None => None,
            Literals::One(only, child) => (*only == word).then_some(*child),
            Literals::Many(children) => children.get(&word).copied(),
        }
    }

    /// Whether a key of which `words` are left can match a pattern that comes this way.
    pub(super) fn can_match(&self, words: usize) -> bool {
        (self.shortest..=self.longest).contains(&words)
    }

    pub(super) fn has_literals(&self) -> bool {
        !matches!(self.literals, Literals::None)
    }

    fn child(&self, step: Step) -> Option<ChildId> {
        match step {
            Step::Word(word) => self.literal(word),
            Step::Star => self.star,
            Step::Hash => self.hash,
        }
    }
}

impl Literals {
    fn insert(&mut self, word: WordId, child: ChildId) {
        match self {
            Self::None => *self = Self::One(word, child),
            Self::One(first, other) => {
                let mut children = HashMap::with_capacity(4);
                children.insert(*first, *other);
                children.insert(word, child);
                *self = Self::Many(Box::new(children));
            }
            Self::Many(children) => {
                children.insert(word, child);
            }
        }
    }

    fn remove(&mut self, word: WordId) {
        match self {
            Self::None => {}
            Self::One(..) => *self = Self::None,
            Self::Many(children) => {
                children.remove(&word);
                if let (1, Some((word, child))) = (children.len(), children.iter().next()) {
                    *self = Self::One(*word, *child);
                }
            }
        }
    }
}
