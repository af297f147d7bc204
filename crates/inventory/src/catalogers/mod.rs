//! One file per ecosystem.

use crate::cataloger::Cataloger;

mod apk;
mod dpkg;
mod os_database;
pub mod os_release;
mod rpm;

/// Every cataloger, in no particular order.
pub const ALL: &[Cataloger] = &[apk::CATALOGER, dpkg::CATALOGER, os_release::CATALOGER, rpm::CATALOGER];
