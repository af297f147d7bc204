//! One file per ecosystem.

use crate::cataloger::Cataloger;

mod apk;
mod dpkg;
pub mod os_release;
mod owned_paths;
mod rpm;

/// Every cataloger, in no particular order.
pub const ALL: &[Cataloger] = &[apk::CATALOGER, dpkg::CATALOGER, os_release::CATALOGER, rpm::CATALOGER];
