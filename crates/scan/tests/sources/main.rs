//! Images from every source, made and served by other people's tools (umoci, skopeo, Debian's docker-registry), and
//! servers and archives that lie.

mod archives;
mod cached;
mod hostile;
mod registry;
mod tools;
