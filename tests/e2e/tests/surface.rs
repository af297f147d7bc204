//! The attack surface of real Debian programs, counted, judged, and compared with an earlier image.

use std::fs::File;
use std::path::{Path, PathBuf};

use dogwatch_e2e::images::{REMOVED, small, upgraded};
use dogwatch_e2e::program::User;
use dogwatch_e2e::skip;
use serde_json::{Value, json};
use tar::{Builder, Header};
use xtask::image::Image;
use xtask::parts;

const GATE: &str = "version: 1\nname: no-new-setuid\nstages: [build]\n\
    condition: image.surface.new_setuid_files > 0\n\
    rationale: A program that runs as root for everyone needs a reason.\naction: deny\n";

/// A layout with the images `before`, `same` (one harmless file more) and `after` (one setuid file more).
fn images(user: &User) -> Option<PathBuf> {
    let debian = parts::debian().map_err(|error| skip(&format!("{error:#}"))).ok()?;
    let layout = user.path("layout");
    let mut image = Image::begin(&layout).expect("a layout");
    image.tar(&debian, "ADD debian.tar /").expect("a layer");
    image.finish("before", &json!({})).expect("an image");
    for (name, path, mode) in [("same", "usr/local/bin/plain", 0o755), ("after", "usr/local/bin/raise", 0o4755)] {
        let tar = user.path("layer.tar");
        layer(&tar, path, mode);
        image.tar(&tar, "COPY").expect("a layer");
        image.finish(name, &json!({})).expect("an image");
    }
    Some(layout)
}

fn layer(to: &Path, path: &str, mode: u32) {
    let mut tar = Builder::new(File::create(to).expect("a file"));
    let mut header = Header::new_gnu();
    header.set_mode(mode);
    header.set_size(2);
    tar.append_data(&mut header, path, &b"#!"[..]).expect("an entry");
    tar.finish().expect("a tar file");
}

fn paths<'a>(surface: &'a Value, sort: &str) -> Vec<&'a str> {
    surface[sort]["paths"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

#[test]
fn an_image_that_gains_a_setuid_file_fails_and_the_same_without_passes() {
    let user = User::new();
    let Some(layout) = images(&user) else { return };
    let target = |name: &str| format!("oci-dir:{}:{name}", layout.display());
    let gate = user.file("gate.yaml", GATE);
    let scan = |name: &str, more: &[&str]| {
        let target = target(name);
        user.run(&[&["scan", target.as_str(), "--policy", gate.as_str()], more].concat())
    };
    let before = target("before");
    let report = scan("before", &["-o", "json"]).exits(0).json();
    let surface = &report["inventory"]["surface"];
    // Debian's own: util-linux and login install these setuid, bash and dash link `sh`.
    let setuid = paths(surface, "setuid_files");
    assert!(setuid.iter().any(|path| path.ends_with("bin/su")), "{surface}");
    assert!(paths(surface, "shells").iter().any(|path| path.ends_with("bin/sh")), "{surface}");
    assert!(paths(surface, "package_managers").iter().any(|path| path.ends_with("bin/dpkg")), "{surface}");
    assert!(!paths(surface, "world_writable").contains(&"/tmp"), "the sticky bit protects what is in it: {surface}");

    scan("same", &["--compare-to", &before]).exits(0);
    let failed = scan("after", &["--compare-to", &before]).exits(1).stdout;
    assert!(failed.contains("no-new-setuid") && failed.contains("/usr/local/bin/raise"), "{failed}");
    let earlier = user.file("earlier.json", &report.to_string());
    let failed = scan("after", &["--compare-to", &earlier, "-o", "json"]).exits(1).json();
    assert_eq!(paths(&failed["comparison"]["new_surface"], "setuid_files"), ["/usr/local/bin/raise"]);
    scan("after", &[]).exits(0); // without a comparison nothing is known to be new
}

#[test]
fn the_numbers_are_the_same_from_the_cache_and_stand_in_the_table() {
    let Some(layout) = small() else { return };
    let (user, target) = (User::new(), format!("oci-dir:{}", layout.display()));
    let fresh = user.scan(&target, &[])["inventory"]["surface"].clone();
    assert!(fresh["shells"]["count"].as_u64() > Some(0), "{fresh}");
    assert_eq!(user.scan(&target, &[])["inventory"]["surface"], fresh);
    let table = user.run(&["scan", &target]).stdout;
    assert!(table.contains("Attack surface") && table.contains("shells"), "{table}");
}

/// What apt replaced and dpkg removed is still in the layer below.
#[test]
fn what_later_layers_hide_is_counted() {
    let Some(upgraded) = upgraded() else { return };
    let user = User::new();
    let target = |name: &str| format!("oci-dir:{}:{name}", upgraded.layout.display());
    let surface = |report: &Value| report["inventory"]["surface"].clone();
    let base = user.scan(&target("base"), &[]);
    assert_eq!(paths(&surface(&base), "hidden_files"), [""; 0], "one layer hides nothing");
    let report = user.scan(&target("upgraded"), &[]);
    let surface = surface(&report);
    let hidden = paths(&surface, "hidden_files");
    assert!(hidden.iter().any(|path| path.ends_with(&format!("bin/{REMOVED}"))), "{hidden:?}");
    assert!(hidden.contains(&"/var/lib/dpkg/status"), "{hidden:?}");
    assert!(!hidden.contains(&"/etc/debian_version"), "{hidden:?}");
    let policy = user.file(
        "hidden.yaml",
        "version: 1\nname: hides-nothing\nstages: [build]\ncondition: image.surface.hidden_files > 0\nrationale: r\naction: deny\n",
    );
    user.run(&["scan", &target("upgraded"), "--policy", &policy]).exits(1);
    user.run(&["scan", &target("base"), "--policy", &policy]).exits(0);
}
