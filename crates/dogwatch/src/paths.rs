//! Where the user's files are, by the XDG base directory specification.

use std::path::PathBuf;
use std::sync::OnceLock;

use etcetera::BaseStrategy;

/// What `--cache-dir` or `DOGWATCH_CACHE_DIR` said, once for the whole run.
static CACHE: OnceLock<PathBuf> = OnceLock::new();

/// Takes the place of the user's own cache.
pub(crate) fn use_cache(directory: Option<PathBuf>) {
    if let Some(directory) = directory.filter(|directory| !directory.as_os_str().is_empty()) {
        // Called once, before anybody asks.
        let _ = CACHE.set(directory);
    }
}

/// `$XDG_CACHE_HOME/dogwatch`, or what the user named: may be deleted at any time.
pub(crate) fn cache() -> Option<PathBuf> {
    if let Some(directory) = CACHE.get() {
        return Some(directory.clone());
    }
    Some(etcetera::choose_base_strategy().ok()?.cache_dir().join("dogwatch"))
}

/// `$XDG_CONFIG_HOME/dogwatch`: the user's settings.
pub(crate) fn config() -> Option<PathBuf> {
    Some(etcetera::choose_base_strategy().ok()?.config_dir().join("dogwatch"))
}

/// `$XDG_DATA_HOME/dogwatch`: the user's index and base images. `DOGWATCH_DATA_DIR` takes its place.
pub(crate) fn data() -> Option<PathBuf> {
    if let Some(directory) = std::env::var_os("DOGWATCH_DATA_DIR").filter(|directory| !directory.is_empty()) {
        return Some(directory.into());
    }
    Some(etcetera::choose_base_strategy().ok()?.data_dir().join("dogwatch"))
}

/// The user's index.
pub(crate) fn index() -> Option<PathBuf> {
    Some(data()?.join("advisories.index"))
}

/// Where the feeds that the user's index was compiled from are kept.
pub(crate) fn store() -> Option<advisories::update::Store> {
    Some(advisories::update::Store::new(data()?.join("advisories")))
}
