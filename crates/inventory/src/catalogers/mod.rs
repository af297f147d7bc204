//! One file per ecosystem.

use crate::cataloger::Cataloger;

/// Every cataloger, in no particular order.
pub const ALL: &[Cataloger] = &[];
