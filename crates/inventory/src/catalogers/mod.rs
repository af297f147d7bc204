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

mod composer;
mod conda;
mod dart;
mod dotnet;
mod erlang;
mod executable;
mod fields;
mod gem;
mod go_binary;
mod haskell;
mod java;
mod julia;
mod luarocks;
mod npm;
mod opam;
mod pear;
mod perl;
mod python;
mod r;
mod runtime;
mod rust_binary;
mod sbom;
mod wordpress;
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
    npm::UNPACKED,
    python::CATALOGER,
    java::CATALOGER,
    go_binary::CATALOGER,
    runtime::CATALOGER,
    rust_binary::CATALOGER,
    composer::CATALOGER,
    conda::CATALOGER,
    dart::CATALOGER,
    dotnet::CATALOGER,
    erlang::CATALOGER,
    gem::CATALOGER,
    haskell::CATALOGER,
    julia::CATALOGER,
    luarocks::CATALOGER,
    opam::CATALOGER,
    pear::CATALOGER,
    perl::CATALOGER,
    r::CATALOGER,
    sbom::CATALOGER,
    wordpress::CATALOGER,
    lock::bun::CATALOGER,
    lock::cabal::CATALOGER,
    lock::cargo::CATALOGER,
    lock::composer::CATALOGER,
    lock::conan::CATALOGER,
    lock::conanfile::CATALOGER,
    lock::deno::CATALOGER,
    lock::dotnet_project::CATALOGER,
    lock::gemfile::CATALOGER,
    lock::github_actions::CATALOGER,
    lock::go_mod::CATALOGER,
    lock::gradle::CATALOGER,
    lock::julia::CATALOGER,
    lock::mix::CATALOGER,
    lock::npm::CATALOGER,
    lock::nuget::CATALOGER,
    lock::pdm::CATALOGER,
    lock::pipfile::CATALOGER,
    lock::pnpm::CATALOGER,
    lock::podfile::CATALOGER,
    lock::poetry::CATALOGER,
    lock::pom::CATALOGER,
    lock::pubspec::CATALOGER,
    lock::pylock::CATALOGER,
    lock::rebar::CATALOGER,
    lock::renv::CATALOGER,
    lock::requirements::CATALOGER,
    lock::stack::CATALOGER,
    lock::swift::CATALOGER,
    lock::terraform::CATALOGER,
    lock::uv::CATALOGER,
    lock::vendor_modules::CATALOGER,
    lock::yarn::CATALOGER,
];
