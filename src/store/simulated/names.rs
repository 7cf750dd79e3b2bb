//! The names of a simulated disk: which file and folder is where, and which of that a crash leaves.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::blocks::Survives;
use super::random::Random;

/// What has a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Node {
    File(usize),
    Folder,
}

/// Every name, as it is and as it is on the disk.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    current: BTreeMap<PathBuf, Node>,
    durable: BTreeMap<PathBuf, Node>,
    pending: Vec<Change>,
}

#[derive(Clone, Debug)]
enum Change {
    Put(PathBuf, Node),
    Remove(PathBuf),
    /// Of a folder that was made anew since.
    RemoveName(PathBuf),
    Rename(PathBuf, PathBuf, Node),
}

impl Change {
    fn apply(&self, names: &mut BTreeMap<PathBuf, Node>) {
        match self {
            Self::Put(path, node) => {
                names.insert(path.clone(), *node);
            }
            Self::Remove(path) => {
                names.retain(|name, _| !name.starts_with(path));
            }
            Self::RemoveName(path) => {
                names.remove(path);
            }
            Self::Rename(from, to, node) => {
                names.remove(from);
                names.insert(to.clone(), *node);
            }
        }
    }

    fn is_in(&self, folder: &Path) -> bool {
        let within = |path: &Path| path.parent() == Some(folder);
        match self {
            Self::Put(path, _) | Self::Remove(path) | Self::RemoveName(path) => within(path),
            Self::Rename(from, to, _) => within(from) || within(to),
        }
    }
}

impl Names {
    pub(super) fn get(&self, path: &Path) -> Option<Node> {
        self.current.get(path).copied()
    }

    /// Whether it is a folder, as the root is.
    pub(super) fn is_folder(&self, path: &Path) -> bool {
        path.as_os_str().is_empty() || self.get(path) == Some(Node::Folder)
    }

    pub(super) fn put(&mut self, path: &Path, node: Node) {
        self.change(Change::Put(path.to_path_buf(), node));
    }

    pub(super) fn remove(&mut self, path: &Path) {
        self.change(Change::Remove(path.to_path_buf()));
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path, node: Node) {
        self.change(Change::Rename(from.to_path_buf(), to.to_path_buf(), node));
    }

    /// The names in a folder.
    pub(super) fn list(&self, folder: &Path) -> Vec<String> {
        let within = self.current.keys().filter(|path| path.parent() == Some(folder));
        within.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect()
    }

    pub(super) fn files(&self) -> impl Iterator<Item = (&Path, usize)> {
        self.current.iter().filter_map(|(path, node)| match node {
            Node::File(file) => Some((path.as_path(), *file)),
            Node::Folder => None,
        })
    }

    pub(super) fn sync(&mut self, folder: &Path) {
        let durable = &mut self.durable;
        // A folder of the same name that was removed before was another one: what is in this one does not go with it.
        for change in &mut self.pending {
            if let Change::Remove(path) = change
                && folder.starts_with(&*path)
            {
                durable.retain(|name, _| name == path || !name.starts_with(&*path));
                *change = Change::RemoveName(std::mem::take(path));
            }
        }
        self.pending.retain(|change| {
            let synced = change.is_in(folder);
            if synced {
                change.apply(durable);
            }
            !synced
        });
    }

    /// What is found after a loss of power; a file whose folder is lost is lost with it.
    pub(super) fn after_crash(&self, survives: Survives, random: &mut Random) -> Self {
        let mut left = self.durable.clone();
        let survives = if matches!(survives, Survives::Torn) { Survives::Some } else { survives };
        for (change, kept) in self.pending.iter().zip(survives.choose(self.pending.len(), random)) {
            if kept {
                change.apply(&mut left);
            }
        }
        let all = left.clone();
        left.retain(|path, _| {
            let mut above = path.ancestors().skip(1).filter(|folder| !folder.as_os_str().is_empty());
            above.all(|folder| all.get(folder) == Some(&Node::Folder))
        });
        Self { durable: left.clone(), current: left, pending: Vec::new() }
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.current);
        self.pending.push(change);
    }
}
