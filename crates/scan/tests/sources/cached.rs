//! What is remembered of an image is used for that image only.

use std::path::Path;
use std::time::Duration;

use dogwatch_scan::bases::Bases;
use dogwatch_scan::cache::Cache;
use dogwatch_scan::exclude::Exclude;
use dogwatch_scan::inspect::{InspectOptions, image_catalogers, inspect};
use dogwatch_scan::progress::Progress;
use dogwatch_scan::sandbox::Sandboxing;
use dogwatch_scan::source::SourceOptions;
use tempfile::TempDir;

/// An archive of an image without layers that runs as `user`; as long as any other with a user of that length.
fn archive(user: &str) -> Vec<u8> {
    let config = format!(
        r#"{{"os":"linux","architecture":"amd64","config":{{"User":"{user}"}},"rootfs":{{"type":"layers","diff_ids":[]}}}}"#
    );
    let mut archive = tar::Builder::new(Vec::new());
    for (name, text) in [("manifest.json", r#"[{"Config":"c.json","RepoTags":null,"Layers":[]}]"#), ("c.json", &config)]
    {
        let mut header = tar::Header::new_ustar();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, name, text.as_bytes()).unwrap();
    }
    archive.into_inner().unwrap()
}

fn user(path: &Path, options: &InspectOptions) -> String {
    let target = format!("docker-archive:{}", path.display()).parse().unwrap();
    inspect(&target, options).unwrap().artifact.config.user.unwrap()
}

#[test]
fn an_archive_rewritten_in_place_is_never_taken_for_the_old_one() {
    let scratch = TempDir::new().unwrap();
    let cache = Cache::new(scratch.path().join("cache"), &image_catalogers());
    let options = InspectOptions {
        source: SourceOptions::default(),
        cache: Some(cache),
        bases: Bases::default(),
        exclude: Exclude::default(),
        progress: Progress::default(),
        sandbox: Sandboxing::Off,
    };
    let path = scratch.path().join("image.tar");
    let (one, other) = (archive("1000"), archive("2000"));
    assert_eq!(one.len(), other.len());
    std::fs::write(&path, &one).unwrap();
    // As fast as we can: the clock by which files are stamped ticks every few milliseconds.
    for round in 0..100 {
        std::fs::write(&path, &one).unwrap();
        assert_eq!(user(&path, &options), "1000", "round {round}");
        std::fs::write(&path, &other).unwrap();
        assert_eq!(user(&path, &options), "2000", "round {round}");
    }
    let remembered = || std::fs::read_dir(scratch.path().join("cache/targets")).map_or(0, Iterator::count);
    std::thread::sleep(Duration::from_millis(60));
    assert_eq!(user(&path, &options), "2000");
    assert!(remembered() > 0, "an archive that is left alone is remembered");
}
