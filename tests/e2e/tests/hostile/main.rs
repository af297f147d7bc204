//! Bad input, end to end: the real binary, in bounded time and memory, on what a stranger might send.
//!
//! Every run in [`sandbox`] checks what holds for any input: an exit code of ours, no panic, nothing written outside the
//! cache, no control character on the terminal. Each test adds what its own input must lead to: an error or a gap that
//! names the file or layer.

mod craft;
mod sandbox;

mod archives;
mod catalogs;
mod damage;
mod directories;
mod documents;
mod layers;
mod terminal;
