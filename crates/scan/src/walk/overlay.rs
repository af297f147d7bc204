//! The marks by which a directory of an overlay hides what lies below it.
//!
//! Source: Linux, `Documentation/filesystems/overlayfs.rst`, "whiteouts and opaque directories", "Redirecting directories"
//! and "Metadata only copy up". The attributes are readable for root alone, except where an unprivileged user mounts
//! (`user.overlay.*`).

use std::fs::Metadata;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::lgetxattr;

/// What a mark means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Marks {
    /// Nothing is marked.
    None,
    /// The name is deleted.
    Whiteout,
    /// A directory that hides everything below it.
    Opaque,
    /// A directory that was moved here and shows what lies below at its old place.
    Moved,
    /// A file with the content of the one below.
    MetadataOnly,
}

/// The mark of one entry.
pub(super) fn marks(path: &Path, metadata: &Metadata) -> Marks {
    let kind = metadata.file_type();
    if kind.is_char_device() && metadata.rdev() == 0 {
        return Marks::Whiteout;
    }
    if kind.is_dir() {
        return match attribute(path, "opaque") {
            Some(value) if value == b"y" => Marks::Opaque,
            _ if attribute(path, "redirect").is_some() => Marks::Moved,
            _ => Marks::None,
        };
    }
    // Its content is a hole, so only files that have one are asked.
    let has_hole = metadata.blocks().saturating_mul(512) < metadata.len();
    if kind.is_file() && has_hole && attribute(path, "metacopy").is_some() {
        return Marks::MetadataOnly;
    }
    Marks::None
}

/// The name that OCI layers give to the whiteout of a path.
pub(super) fn whiteout(path: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".wh.");
    name.push(path.file_name().unwrap_or_default());
    path.with_file_name(name)
}

fn attribute(path: &Path, name: &str) -> Option<Vec<u8>> {
    let mut value = [0; 64];
    ["trusted", "user"].iter().find_map(|space| {
        let read = lgetxattr(path, format!("{space}.overlay.{name}"), &mut value[..]);
        match read {
            Ok(length) => Some(value[..length].to_vec()),
            // Longer than a mark; which one it is, its name says.
            Err(rustix::io::Errno::RANGE) => Some(Vec::new()),
            Err(_) => None,
        }
    })
}
