//! Developer tasks, and what the end-to-end tests share with them: real images put together on this machine.
//!
//! [`demo`] is `make demo`, [`test`] is `make test`. [`machine`] installs what they need; [`parts`] fetches real packages
//! through the machine's own package managers; [`image`] stacks them into an OCI image.

pub mod bench;
pub mod compare;
pub mod demo;
pub mod dist;
pub mod fuzz;
pub mod image;
pub mod machine;
pub mod parts;
pub mod snapshot;
pub mod test;
pub mod tidy;

use std::path::{Path, PathBuf};

/// What goes wrong in a task.
pub type Error = anyhow::Error;

/// The top of the repository.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().map_or_else(|| here.to_owned(), Path::to_owned)
}

/// Where things are kept that can be made again.
pub fn cache() -> PathBuf {
    root().join(".cache")
}
