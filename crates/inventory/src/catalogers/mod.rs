//! One file per ecosystem.

mod lock;

use crate::cataloger::Cataloger;

/// Every cataloger, in no particular order.
pub const ALL: &[Cataloger] = &[
    lock::cargo::CATALOGER,
    lock::go_mod::CATALOGER,
    lock::gradle::CATALOGER,
    lock::npm::CATALOGER,
    lock::pipfile::CATALOGER,
    lock::pnpm::CATALOGER,
    lock::poetry::CATALOGER,
    lock::pom::CATALOGER,
    lock::requirements::CATALOGER,
    lock::uv::CATALOGER,
    lock::yarn::CATALOGER,
];
