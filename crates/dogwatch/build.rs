//! Embeds the advisory snapshot of `data/advisories`.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let data = Path::new(&env::var("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("../../data/advisories");
    println!("cargo::rerun-if-changed={}", data.display());
    let mut paths: Vec<_> = fs::read_dir(&data)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    paths.retain(|path| path.is_file() && path.extension().is_none_or(|extension| extension != "md"));
    paths.sort();
    let mut list = String::from("[");
    let mut digest = 0xcbf2_9ce4_8422_2325_u64;
    for path in &paths {
        let path = path.canonicalize()?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let _ = write!(list, "({name:?}, include_bytes!({:?}) as &[u8]),", path);
        // FNV-1a: it only has to tell one snapshot from the next.
        for byte in name.bytes().chain(fs::read(&path)?) {
            digest = (digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    list.push(']');
    fs::write(Path::new(&env::var("OUT_DIR").expect("cargo sets it")).join("snapshot.rs"), list)?;
    println!("cargo::rustc-env=DOGWATCH_SNAPSHOT_DIGEST={digest:016x}");
    Ok(())
}
