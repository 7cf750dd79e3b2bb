//! The topic exchange: binding keys are patterns of words between dots, where `*` is one word and `#` any number.
//!
//! The patterns lie in a trie. A routing key is read once, word by word, while the set of nodes that its words so
//! far lead to is carried along: no node is in the set twice, so that no pattern, however many `#` it has, costs
//! more than its length times the key's. RabbitMQ 4.3.5 refuses patterns of more than two `#` for their cost; they
//! are accepted here, since older clients and definitions bind them.
//!
//! A node is entered by its parent's being in the set one word earlier, so once a word at most. Nodes for `#` are
//! the exception: one stays in the set when it has been entered, and may be met again if another `#` lies above
//! it. Only of those is it remembered that they have been entered.

mod trie;
mod words;

use std::cell::RefCell;

use foldhash::HashSet;

use self::trie::{ChildId, Node, ROOT, Trie};
use super::binding::{Binding, InvalidBinding};
use super::router::{Routable, Router, Target};

/// The patterns bound to a topic exchange.
pub(super) struct Topic<T>(Trie<T>);

impl<T> Default for Topic<T> {
    fn default() -> Self {
        Self(Trie::default())
    }
}

/// The nodes in the set, kept from one message to the next for its memory.
#[derive(Default)]
struct Active {
    /// Nodes for a word or `*` that the last word led to.
    nodes: Vec<usize>,
    /// Nodes that the next word leads to.
    next: Vec<usize>,
    /// The `#` after them, not entered yet.
    hashes: Vec<ChildId>,
    /// Nodes for `#` with words below them: any further words may pass before those.
    loops: Vec<usize>,
    /// Nodes for `#` below another `#` that are or were in `loops`.
    entered: HashSet<ChildId>,
}

/// Rooms for more nodes than this are given back after use.
const KEPT_MAX: usize = 16 * 1024;

thread_local! {
    static ACTIVE: RefCell<Active> = RefCell::default();
}

impl<T: Target> Router<T> for Topic<T> {
    fn bind(&mut self, binding: &Binding<T>) -> Result<(), InvalidBinding> {
        self.0.bind(&binding.key, &binding.target);
        Ok(())
    }

    fn unbind(&mut self, binding: &Binding<T>) {
        self.0.unbind(&binding.key, &binding.target);
    }

    fn route(&self, message: &Routable<'_>, found: &mut dyn FnMut(&T)) {
        self.route_counting(message, found);
    }

    fn route_counting(&self, message: &Routable<'_>, found: &mut dyn FnMut(&T)) -> usize {
        ACTIVE.with(|active| match active.try_borrow_mut() {
            Ok(mut active) => message.keys().map(|key| self.walk(key, &mut active, found)).sum(),
            // `found` routes in turn.
            Err(_) => message.keys().map(|key| self.walk(key, &mut Active::default(), found)).sum(),
        })
    }
}

impl<T: Target> Topic<T> {
    /// Finds the targets of a key; gives at how many nodes it looked for the next word.
    fn walk(&self, key: &str, active: &mut Active, found: &mut dyn FnMut(&T)) -> usize {
        let mut looked_at = 0;
        let mut left = trie::count(key);
        active.clear();
        self.enter(ROOT, left, &mut active.nodes, &mut active.hashes);
        self.enter_loops(active, found);
        for word in trie::words(key) {
            if active.nodes.is_empty() && active.loops.is_empty() {
                break;
            }
            looked_at += active.nodes.len() + active.loops.len();
            left -= 1;
            self.step(word, left, active);
            self.enter_loops(active, found);
        }
        for node in active.nodes.iter().filter_map(|id| self.0.node(*id)) {
            node.targets.iter().for_each(&mut *found);
        }
        active.shrink();
        looked_at
    }

    /// Replaces the nodes in the set by those that `word` leads to, with `left` more words to come; loops stay.
    fn step(&self, word: &str, left: usize, active: &mut Active) {
        let word = self.0.words.get(word);
        let Active { nodes, next, hashes, loops, .. } = active;
        next.clear();
        for node in nodes.iter().filter_map(|id| self.0.node(*id)) {
            if let Some(child) = node.star {
                self.enter(child.get(), left, next, hashes);
            }
            if let Some(child) = word.and_then(|word| node.literal(word)) {
                self.enter(child.get(), left, next, hashes);
            }
        }
        if let Some(word) = word {
            for child in loops.iter().filter_map(|id| self.0.node(*id)?.literal(word)) {
                self.enter(child.get(), left, next, hashes);
            }
        }
        std::mem::swap(nodes, next);
    }

    #[inline]
    fn enter(&self, id: usize, left: usize, nodes: &mut Vec<usize>, hashes: &mut Vec<ChildId>) {
        if let Some(node) = self.0.node(id).filter(|node| node.can_match(left)) {
            nodes.push(id);
            if let Some(hash) = node.hash {
                hashes.push(hash);
            }
        }
    }

    /// Enters the `#` after each node in the set: it matches whatever follows, so its own targets are found.
    fn enter_loops(&self, active: &mut Active, found: &mut dyn FnMut(&T)) {
        let Active { hashes, loops, entered, .. } = active;
        for (id, node) in hashes.drain(..).filter_map(|id| Some((id, self.0.node(id.get())?))) {
            if node.hash_above.is_some() && !entered.insert(id) {
                continue;
            }
            node.targets.iter().for_each(&mut *found);
            if node.has_literals() {
                if loops.last().is_some_and(|last| self.covers(node, *last)) {
                    loops.pop();
                }
                loops.push(id.get());
            }
        }
    }

    /// Whether all that the loop `last` can still find lies below `node`, a later `#` of the same patterns, which
    /// is then the only one to follow: what makes a pattern of many `#` cost no more than one of few.
    fn covers(&self, node: &Node<T>, last: usize) -> bool {
        node.hash_above.is_some_and(|above| above.get() == last)
            && self.0.node(last).is_some_and(|above| above.bindings == node.bindings)
    }
}

impl Active {
    /// Empties the set, also of what a panic may have left in it.
    fn clear(&mut self) {
        self.nodes.clear();
        self.hashes.clear();
        self.loops.clear();
        if !self.entered.is_empty() {
            self.entered.clear();
        }
    }

    fn shrink(&mut self) {
        let rooms = self.nodes.capacity() + self.next.capacity() + self.loops.capacity();
        if rooms + self.hashes.capacity() + self.entered.capacity() > KEPT_MAX {
            *self = Self::default();
        }
    }
}

#[cfg(test)]
mod tests;
