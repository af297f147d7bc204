//! Which files of a tree are wanted.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

/// Files by their path below the root, and the directories on the way to them.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Listing {
    files: HashSet<Vec<u8>>,
    directories: HashSet<Vec<u8>>,
}

impl Listing {
    /// Adds a file. Whether it is there, and what it is, only walking tells.
    pub(crate) fn insert(&mut self, path: &[u8]) {
        for (at, _) in path.iter().enumerate().filter(|(_, byte)| **byte == b'/') {
            if !self.directories.contains(&path[..at]) {
                self.directories.insert(path[..at].to_vec());
            }
        }
        self.files.insert(path.to_vec());
    }

    pub(crate) fn has_file(&self, path: &[u8]) -> bool {
        self.files.contains(path)
    }

    pub(crate) fn has_directory(&self, path: &[u8]) -> bool {
        self.directories.contains(path)
    }
}
