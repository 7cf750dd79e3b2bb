//! The words of binding keys, each as a number: a word of a routing key is looked up once, however many places of
//! the trie are compared with it, and a word that no binding names is known to match only wildcards.

use std::sync::Arc;

use foldhash::HashMap;

/// A word's number. Numbers of forgotten words are given again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct WordId(usize);

/// The words that edges of the trie bear.
#[derive(Debug, Default)]
pub(super) struct Words {
    ids: HashMap<Arc<str>, WordId>,
    entries: Vec<Entry>,
    free: Vec<WordId>,
}

#[derive(Debug)]
struct Entry {
    word: Arc<str>,
    edges: usize,
}

impl Words {
    pub(super) fn get(&self, word: &str) -> Option<WordId> {
        self.ids.get(word).copied()
    }

    /// The number of `word`, for an edge that will be added.
    pub(super) fn number(&mut self, word: &str) -> WordId {
        if let Some(id) = self.get(word) {
            return id;
        }
        let word: Arc<str> = word.into();
        let entry = Entry { word: Arc::clone(&word), edges: 0 };
        let reused = self.free.pop().and_then(|id| Some((id, self.entries.get_mut(id.0)?)));
        let id = if let Some((id, vacant)) = reused {
            *vacant = entry;
            id
        } else {
            self.entries.push(entry);
            WordId(self.entries.len() - 1)
        };
        self.ids.insert(word, id);
        id
    }

    /// One more edge bears the word.
    pub(super) fn edge_added(&mut self, id: WordId) {
        if let Some(entry) = self.entries.get_mut(id.0) {
            entry.edges += 1;
        }
    }

    /// One edge fewer bears the word; after the last one it is forgotten.
    pub(super) fn edge_removed(&mut self, id: WordId) {
        let Some(entry) = self.entries.get_mut(id.0) else { return };
        entry.edges -= 1;
        if entry.edges == 0 {
            self.ids.remove(&entry.word);
            self.free.push(id);
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }
}
