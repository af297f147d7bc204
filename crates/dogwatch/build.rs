//! Embeds the advisory snapshot of `data/advisories`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let data = Path::new(&env::var("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("../../data/advisories");
    println!("cargo::rerun-if-changed={}", data.display());
    let mut paths = Vec::new();
    files(&data, &mut paths)?;
    paths.sort();
    let mut list = String::from("[");
    let mut digest = 0xcbf2_9ce4_8422_2325_u64;
    for path in &paths {
        let name = path.strip_prefix(&data).unwrap_or(path).display().to_string();
        let _ = write!(list, "({name:?}, include_bytes!({:?}) as &[u8]),", path.canonicalize()?);
        // FNV-1a: it only has to tell one snapshot from the next.
        for byte in name.bytes().chain(fs::read(path)?) {
            digest = (digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    list.push(']');
    fs::write(Path::new(&env::var("OUT_DIR").expect("cargo sets it")).join("snapshot.rs"), list)?;
    println!("cargo::rustc-env=DOGWATCH_SNAPSHOT_DIGEST={digest:016x}");
    Ok(())
}

/// Every file below a directory but the page for people.
fn files(directory: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            files(&path, found)?;
        } else if path.extension().is_none_or(|extension| extension != "md") {
            found.push(path);
        }
    }
    Ok(())
}
