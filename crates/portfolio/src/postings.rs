//! Which images hold a package, and which stand on a layer: compressed bitmaps, rebuilt at start and kept up with every change.
