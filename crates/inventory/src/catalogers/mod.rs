//! One file per ecosystem.

use crate::cataloger::Cataloger;

mod apk;
mod bottlerocket;
mod chisel;
mod dpkg;
mod opkg;
mod os_database;
pub mod os_release;
mod pacman;
mod portage;
mod rpm;

mod executable;
mod go_binary;
mod java;
mod npm;
mod python;
mod rust_binary;
mod zip_directory;

mod lock;

/// Every cataloger, in no particular order.
pub const ALL: &[Cataloger] = &[
    apk::CATALOGER,
    bottlerocket::CATALOGER,
    chisel::CATALOGER,
    dpkg::CATALOGER,
    opkg::CATALOGER,
    os_release::CATALOGER,
    pacman::CATALOGER,
    portage::CATALOGER,
    rpm::CATALOGER,
    npm::CATALOGER,
    python::CATALOGER,
    java::CATALOGER,
    go_binary::CATALOGER,
    rust_binary::CATALOGER,
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
