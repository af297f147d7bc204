//! The attack surface: what an artifact offers to whoever gets a foothold in it, counted.
//!
//! Numbers to watch and to compare, no judgement: policies say what is too much. What is counted is known from names and
//! permission bits alone, so a tool under another name is not seen.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the files of an image or a container offer.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Surface {
    /// Programs that run as their owner, whoever starts them.
    #[serde(skip_serializing_if = "Places::is_empty")]
    pub setuid_files: Places,
    /// Programs that run as their group, whoever starts them.
    #[serde(skip_serializing_if = "Places::is_empty")]
    pub setgid_files: Places,
    /// Files that everyone may change, and directories without the sticky bit in which everyone may replace files.
    #[serde(skip_serializing_if = "Places::is_empty")]
    pub world_writable: Places,
    /// Shells, by each name they can be called under.
    #[serde(skip_serializing_if = "Places::is_empty")]
    pub shells: Places,
    /// Package managers of the system and of languages.
    #[serde(skip_serializing_if = "Places::is_empty")]
    pub package_managers: Places,
    /// Compilers, linkers, assemblers and debuggers.
    #[serde(skip_serializing_if = "Places::is_empty")]
    pub compilers: Places,
    /// Interpreters other than shells.
    #[serde(skip_serializing_if = "Places::is_empty")]
    pub interpreters: Places,
    /// Programs that fetch, send, listen or scan.
    #[serde(skip_serializing_if = "Places::is_empty")]
    pub network_tools: Places,
    /// Programs that serve a network.
    #[serde(skip_serializing_if = "Places::is_empty")]
    pub daemons: Places,
    /// What an init system found in the artifact would start: enabled units, run scripts.
    #[serde(skip_serializing_if = "Places::is_empty")]
    pub services: Places,
    /// Files that a later layer replaced or removed: whoever has the image has their bytes, and nothing in it reaches them.
    #[serde(skip_serializing_if = "Places::is_empty")]
    pub hidden_files: Places,
}

/// How many there are of one sort, and the first of them by path.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Places {
    /// All of them.
    pub count: u64,
    /// Their paths, sorted; at most [`Places::SHOWN_MAX`].
    pub paths: Vec<String>,
}

impl Places {
    /// An application tree that everyone may write to can have a million files; a report stays readable with these.
    pub const SHOWN_MAX: usize = 1000;

    /// The places at these paths.
    pub fn new(mut paths: Vec<String>) -> Self {
        paths.sort_unstable();
        let count = paths.len() as u64;
        paths.truncate(Self::SHOWN_MAX);
        Self { count, paths }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Those that `before` does not have. Where a list is cut, at least as many as the numbers have grown by: a thousand
    /// harmless files hide no other.
    pub fn since(&self, before: &Self) -> Self {
        let old: BTreeSet<&String> = before.paths.iter().collect();
        let paths: Vec<String> = self.paths.iter().filter(|path| !old.contains(path)).cloned().collect();
        let count = (paths.len() as u64).max(self.count.saturating_sub(before.count));
        Self { count, paths }
    }
}

impl Surface {
    /// Every sort with its words, in the order in which they are shown.
    pub fn sorts(&self) -> [(&'static str, &Places); 11] {
        [
            ("setuid files", &self.setuid_files),
            ("setgid files", &self.setgid_files),
            ("world-writable", &self.world_writable),
            ("services", &self.services),
            ("daemons", &self.daemons),
            ("shells", &self.shells),
            ("package managers", &self.package_managers),
            ("compilers", &self.compilers),
            ("interpreters", &self.interpreters),
            ("network tools", &self.network_tools),
            ("hidden files", &self.hidden_files),
        ]
    }

    /// What is here and was not there before.
    pub fn since(&self, before: &Self) -> Self {
        Self {
            setuid_files: self.setuid_files.since(&before.setuid_files),
            setgid_files: self.setgid_files.since(&before.setgid_files),
            world_writable: self.world_writable.since(&before.world_writable),
            shells: self.shells.since(&before.shells),
            package_managers: self.package_managers.since(&before.package_managers),
            compilers: self.compilers.since(&before.compilers),
            interpreters: self.interpreters.since(&before.interpreters),
            network_tools: self.network_tools.since(&before.network_tools),
            daemons: self.daemons.since(&before.daemons),
            services: self.services.since(&before.services),
            hidden_files: self.hidden_files.since(&before.hidden_files),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(paths: impl IntoIterator<Item = usize>) -> Places {
        Places::new(paths.into_iter().map(|number| format!("/{number:05}")).collect())
    }

    #[test]
    fn growth_is_what_was_not_there() {
        let grown = places([1, 3]).since(&places([1, 2]));
        assert_eq!((grown.count, grown.paths), (1, vec!["/00003".to_owned()]));
        assert!(places([1]).since(&places([1, 2])).is_empty());
    }

    #[test]
    fn a_cut_list_hides_no_growth() {
        assert_eq!(places(0..3001).since(&places(0..3000)).count, 1);
        assert_eq!(places(0..3000).since(&places(0..3000)).count, 0);
        assert_eq!(places(0..3000).paths.len(), Places::SHOWN_MAX);
    }
}
