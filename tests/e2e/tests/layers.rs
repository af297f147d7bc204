//! What upper layers do to lower ones: whiteouts, opaque directories, hard links.

use std::fs::File;
use std::path::Path;

use dogwatch_e2e::program::User;
use dogwatch_e2e::skip;
use serde_json::{Value, json};
use tar::{Builder, EntryType, Header};
use xtask::image::Image;
use xtask::parts;

/// A tar file with empty marker files, and hard links to what they name.
fn layer(path: &Path, markers: &[&str], links: &[(&str, &str)]) {
    let mut tar = Builder::new(File::create(path).expect("a file"));
    let header = |kind| {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(0o644);
        header.set_size(0);
        header
    };
    for marker in markers {
        tar.append_data(&mut header(EntryType::Regular), marker, std::io::empty()).expect("an entry");
    }
    for (link, to) in links {
        tar.append_link(&mut header(EntryType::Link), link, to).expect("an entry");
    }
    tar.finish().expect("a tar file");
}

/// `name version` of the packages of one type.
fn packages(report: &Value, kind: &str) -> Vec<String> {
    let all = report["inventory"]["packages"].as_array().expect("packages").iter();
    let wanted = all.filter(|package| package["type"] == kind);
    wanted.map(|package| format!("{} {}", package["name"], package["version"]).replace('"', "")).collect()
}

#[test]
fn what_an_upper_layer_deletes_is_gone_and_a_hard_link_is_no_second_package() {
    const SITE: &str = "usr/local/lib/python3.11/dist-packages";
    let (npm, pypi) = match (parts::npm(), parts::pypi()) {
        (Ok(npm), Ok(pypi)) => (npm, pypi),
        (Err(error), _) | (_, Err(error)) => return skip(&format!("{error:#}")),
    };
    let user = User::new();
    let layout = user.path("layout");
    let mut image = Image::begin(&layout).expect("a layout");
    image.directory(&pypi, "RUN pip install").expect("a layer");
    image.directory(&npm, "COPY shop").expect("a layer");
    image.finish("before", &json!({})).expect("an image");
    let gone = format!("{SITE}/.wh.requests-2.25.0.dist-info");
    let tar = user.path("layer.tar");
    // The opaque directory hides all of node_modules but what the same layer brings.
    layer(&tar, &[&gone, "srv/shop/node_modules/.wh..wh..opq"], &[]);
    image.tar(&tar, "RUN rm").expect("a layer");
    image.finish("after", &json!({})).expect("an image");

    let scan = |name: &str| user.scan(&format!("oci-dir:{}:{name}", layout.display()), &["--no-cache"]);
    let (before, after) = (scan("before"), scan("after"));
    let python = packages(&before, "pypi");
    assert!(python.contains(&"requests 2.25.0".to_owned()), "{python:?}");
    let left: Vec<String> = python.into_iter().filter(|package| package != "requests 2.25.0").collect();
    assert_eq!(packages(&after, "pypi"), left);
    assert!(packages(&before, "npm").contains(&"jquery 1.12.4".to_owned()));
    let npm = packages(&after, "npm");
    assert!(npm.iter().all(|package| package.starts_with("shop ")), "{npm:?}");
    assert!(!after["findings"].to_string().contains("CVE-2020-11023"), "what is deleted has no findings");

    let program = format!("{SITE}/requests/sessions.py");
    layer(&tar, &[], &[("usr/local/lib/linked.py", &program)]);
    let mut image = Image::begin(&layout).expect("a layout");
    image.directory(&pypi, "RUN pip install").expect("a layer");
    image.tar(&tar, "RUN ln").expect("a layer");
    image.finish("linked", &json!({})).expect("an image");
    assert_eq!(packages(&scan("linked"), "pypi"), packages(&before, "pypi"));
}
