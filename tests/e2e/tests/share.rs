//! One index for many machines: published by one, pulled by others, from places that may lie.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use dogwatch_e2e::have;
use dogwatch_e2e::program::{Ran, User};
use dogwatch_e2e::registry::Registry;
use dogwatch_e2e::web::{Reply, Web};

/// Feeds of the snapshot, without the last `missing` records of each of these.
fn feeds(user: &User, name: &str, missing: usize) -> PathBuf {
    let to = user.path(name);
    fs::create_dir_all(&to).expect("a directory");
    for feed in ["go", "pypi", "almalinux"] {
        let file = fs::File::open(xtask::root().join(format!("data/advisories/osv/{feed}.jsonl.zst"))).expect("a feed");
        let text = String::from_utf8(zstd::stream::decode_all(file).expect("zstd")).expect("text");
        let lines: Vec<&str> = text.lines().collect();
        let kept = lines[..lines.len() - missing].join("\n");
        fs::write(to.join(format!("{feed}.jsonl")), kept).expect("a file");
    }
    to
}

/// A publisher with two states of an index and a key.
struct Publisher {
    user: User,
}

impl Publisher {
    fn new() -> Self {
        let publisher = Self { user: User::new() };
        publisher.user.run(&["advisories", "keygen", "ours"]).exits(0);
        for (state, missing) in [("first", 100), ("second", 50), ("third", 0)] {
            let from = feeds(&publisher.user, &format!("{state}-feeds"), missing).display().to_string();
            let out = publisher.path(state);
            publisher.user.run(&["advisories", "build", "--from", &from, "--out", &out]).exits(0);
        }
        publisher
    }

    fn path(&self, name: &str) -> String {
        self.user.path(name).display().to_string()
    }

    fn publish(&self, state: &str, target: &str, more: &[&str]) -> Ran {
        let (index, key) = (self.path(state), self.path("ours.key"));
        self.user.run(&[&["advisories", "publish", target, "--index", &index, "--key", &key], more].concat())
    }

    /// Pulls as another user, who is given the key the first time.
    fn pull(&self, user: &User, source: &str) -> Ran {
        let key = self.path("ours.pub");
        let known = user.path("data/advisories/trusted.pem").exists();
        let key: &[&str] = if known { &[] } else { &["--key", &key] };
        user.run(&[&["advisories", "pull", source], key].concat())
    }

    /// Whether a user has this state in force.
    fn has(&self, user: &User, state: &str) -> bool {
        fs::read(user.path("data/advisories.index")).ok() == fs::read(self.user.path(state)).ok()
    }
}

/// Megabytes in `… , 12.3 MB`.
fn megabytes(ran: &Ran) -> f64 {
    let (text, _) = ran.stdout.rsplit_once(" MB").unwrap_or_else(|| panic!("{ran:?}"));
    text.rsplit(' ').next().and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("{ran:?}"))
}

#[test]
fn what_changed_is_pulled_and_makes_the_same_file() {
    let (publisher, reader) = (Publisher::new(), User::new());
    let shelf = publisher.path("shelf");
    let ran = publisher.publish("first", &shelf, &[]).exits(0);
    assert!(ran.stdout.contains("published number 1: a new index"), "{ran:?}");
    let whole = publisher.pull(&reader, &shelf).exits(0);
    assert!(whole.stdout.contains("number 1") && whole.stdout.contains("whole"), "{whole:?}");
    assert!(publisher.has(&reader, "first"));
    assert!(publisher.pull(&reader, &shelf).exits(0).stdout.contains("already in force"));

    publisher.publish("second", &shelf, &[]).exits(0);
    publisher.publish("third", &shelf, &[]).exits(0);
    assert!(publisher.publish("third", &shelf, &[]).exits(0).stdout.contains("number 4: the same index, confirmed"));
    let changes = publisher.pull(&reader, &shelf).exits(0);
    assert!(changes.stdout.contains("2 changes"), "{changes:?}");
    assert!(publisher.has(&reader, "third"), "byte for byte");
    // 300 of some 16,000 records changed.
    assert!(megabytes(&changes) * 5.0 < megabytes(&whole), "{changes:?} {whole:?}");
    let status = reader.run(&["advisories", "status"]).exits(0).stdout;
    for line in ["number    4 of 2", "good until 2", &format!("from      {shelf}")] {
        assert!(status.contains(line), "{line}: {status}");
    }
    // Who has some other index takes the whole.
    let stranger = User::new();
    assert!(publisher.pull(&stranger, &shelf).exits(0).stdout.contains("whole"));
    assert!(publisher.has(&stranger, "third"));
}

#[test]
fn a_registry_with_tls_and_a_password_holds_an_index() {
    if !have(&["docker-registry", "htpasswd", "openssl"]) {
        return;
    }
    let (publisher, reader) = (Publisher::new(), User::new());
    let directory = publisher.user.path("registry-data");
    fs::create_dir_all(&directory).expect("a directory");
    let registry = Registry::start_guarded(&directory, "alice", "correct horse");
    let target = registry.reference("team/advisories:latest");
    let ca = directory.join("registry.pem").display().to_string();
    let refused = publisher.publish("first", &target, &[]).exits(2);
    assert!(refused.stderr.contains("certificate"), "{refused:?}");
    let nobody = publisher.path("nobody");
    let (index, key) = (publisher.path("first"), publisher.path("ours.key"));
    let arguments = ["advisories", "publish", &target, "--index", &index, "--key", &key, "--ca-file", &ca];
    let refused = publisher.user.run_in(&arguments, "", &[("DOCKER_CONFIG", &nobody)]).exits(2);
    assert!(refused.stderr.contains("refused a request without credentials"), "{refused:?}");
    let login = format!(r#"{{"auths":{{"localhost:{}":{{"auth":"YWxpY2U6Y29ycmVjdCBob3JzZQ=="}}}}}}"#, registry.port);
    for user in [&publisher.user, &reader] {
        user.file("config.json", &login);
    }
    let config = |user: &User| user.path("").display().to_string();
    let publish = |state: &str| {
        let (index, key) = (publisher.path(state), publisher.path("ours.key"));
        let arguments = ["advisories", "publish", &target, "--index", &index, "--key", &key, "--ca-file", &ca];
        publisher.user.run_in(&arguments, "", &[("DOCKER_CONFIG", &config(&publisher.user))]).exits(0)
    };
    let pull = || {
        let key = publisher.path("ours.pub");
        let arguments = ["advisories", "pull", &target, "--key", &key, "--ca-file", &ca];
        reader.run_in(&arguments, "", &[("DOCKER_CONFIG", &config(&reader))]).exits(0)
    };
    publish("first");
    let whole = pull();
    assert!(publisher.has(&reader, "first"), "{whole:?}");
    publish("second");
    publish("third");
    let changes = pull();
    assert!(changes.stdout.contains("2 changes") && publisher.has(&reader, "third"), "{changes:?}");
    // Other tools see an artifact of its own type.
    if have(&["skopeo"]) {
        let mut skopeo = Command::new("skopeo");
        skopeo.args(["inspect", "--raw", "--tls-verify=false", "--creds", "alice:correct horse"]);
        let output = skopeo.arg(format!("docker://{target}")).output().expect("skopeo starts");
        let manifest = String::from_utf8_lossy(&output.stdout);
        assert!(manifest.contains(r#""artifactType":"application/vnd.dogwatch.advisories.v1""#), "{manifest}");
    }
}

/// Replaces a file's content with what `change` makes of it.
fn rewrite(path: &Path, change: impl Fn(String) -> String) {
    let text = fs::read_to_string(path).expect("a file");
    fs::write(path, change(text)).expect("a file");
}

#[test]
fn what_is_not_signed_by_a_pinned_key_or_was_changed_is_refused() {
    let (publisher, reader) = (Publisher::new(), User::new());
    let (shelf, path) = (publisher.path("shelf"), publisher.user.path("shelf"));
    publisher.publish("first", &shelf, &[]).exits(0);
    let old = fs::read(path.join("latest.json")).expect("a statement");
    let refused = |expected: &str| {
        let ran = publisher.pull(&reader, &shelf).exits(2);
        assert!(ran.stderr.contains(expected), "{expected}\nis not in\n{}", ran.stderr);
    };
    let ran = reader.run(&["advisories", "pull", &shelf]).exits(2);
    assert!(ran.stderr.contains("no key is trusted yet\nhint: give the publisher's public key once"), "{ran:?}");
    publisher.user.run(&["advisories", "keygen", "other"]).exits(0);
    let other = publisher.path("other.pub");
    let ran = reader.run(&["advisories", "pull", &shelf, "--key", &other]).exits(2);
    assert!(ran.stderr.contains("is not signed by any trusted key"), "{ran:?}");
    assert!(!reader.path("data/advisories/trusted.pem").exists(), "a key that opened nothing is not remembered");
    publisher.pull(&reader, &shelf).exits(0);

    publisher.publish("second", &shelf, &[]).exits(0);
    let latest = path.join("latest.json");
    let good = fs::read_to_string(&latest).expect("a statement");
    let signature = |text: String| text.split("\"signatures\":").next().expect("a beginning").to_owned();
    rewrite(&latest, |text| signature(text) + "\"signatures\":[]}");
    refused("what is published is not signed\n");
    // Another number in the signed text.
    rewrite(&latest, |_| good.replacen("\"payload\":\"e", "\"payload\":\"f", 1));
    refused("is not signed by any trusted key");
    fs::write(&latest, "<html>").expect("a file");
    refused("what is published is malformed");

    // Its files: cut, longer, another.
    fs::write(&latest, &good).expect("a file");
    let blobs: Vec<PathBuf> =
        fs::read_dir(path.join("blobs/sha256")).expect("blobs").map(|e| e.expect("an entry").path()).collect();
    let saved: Vec<Vec<u8>> = blobs.iter().map(|blob| fs::read(blob).expect("a blob")).collect();
    for (damage, expected) in
        [("cut", "it should have"), ("longer", "it should have"), ("other", "is not what was signed")]
    {
        for (blob, bytes) in blobs.iter().zip(&saved) {
            let mut bytes = bytes.clone();
            match damage {
                "cut" => bytes.truncate(bytes.len() / 2),
                "longer" => bytes.extend([0; 1000]),
                _ => bytes[100] ^= 1,
            }
            fs::write(blob, bytes).expect("a blob");
        }
        refused(expected);
        assert!(publisher.has(&reader, "first"), "the index in force is unchanged");
    }
    // A change that cannot be used is no reason to go without: the whole is taken.
    for (blob, bytes) in blobs.iter().zip(&saved) {
        fs::write(blob, bytes).expect("a blob");
    }
    let smallest = (0..blobs.len()).min_by_key(|at| saved[*at].len()).expect("blobs");
    fs::write(&blobs[smallest], b"nothing").expect("a blob");
    let ran = publisher.pull(&reader, &shelf).exits(0);
    assert!(ran.stderr.contains("the changes could not be used, so the whole was taken"), "{ran:?}");
    assert!(publisher.has(&reader, "second"));

    // An old statement, well signed.
    fs::write(&latest, old).expect("a file");
    refused("what is published is number 1, and number 2 was seen before: a roll-back");
}

#[test]
fn keys_can_be_changed_and_are_those_of_openssl() {
    if !have(&["openssl"]) {
        return;
    }
    let (publisher, reader) = (Publisher::new(), User::new());
    let shelf = publisher.path("shelf");
    let new = publisher.path("new.key");
    let openssl = |arguments: &[&str]| {
        let output = Command::new("openssl").args(arguments).output().expect("openssl starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    openssl(&["genpkey", "-algorithm", "ed25519", "-out", &new]);
    openssl(&["pkey", "-in", &new, "-pubout", "-out", &publisher.path("new.pub")]);
    let ours = openssl(&["pkey", "-in", &publisher.path("ours.key"), "-pubout"]);
    let same = |pem: &str| pem.split_whitespace().collect::<String>();
    assert_eq!(same(&ours), same(&fs::read_to_string(publisher.path("ours.pub")).expect("a key")));

    publisher.publish("first", &shelf, &[]).exits(0);
    publisher.pull(&reader, &shelf).exits(0);
    // Signed by both: those who know the old key still pull, and new ones need only the new.
    publisher.publish("second", &shelf, &["--key", &new]).exits(0);
    publisher.pull(&reader, &shelf).exits(0);
    let fresh = User::new();
    fresh.run(&["advisories", "pull", &shelf, "--key", &publisher.path("new.pub")]).exits(0);
    let index = publisher.path("third");
    publisher.user.run(&["advisories", "publish", &shelf, "--key", &new, "--index", &index]).exits(0);
    assert!(publisher.pull(&reader, &shelf).exits(2).stderr.contains("is not signed by any trusted key"));
    reader.run(&["advisories", "pull", &shelf, "--key", &publisher.path("new.pub")]).exits(0);
    assert!(publisher.has(&reader, "third"));
    let ran = publisher.user.run(&["advisories", "keygen", "ours"]).exits(2);
    assert!(ran.stderr.contains("`ours.key` cannot be made"), "{ran:?}");
}

#[test]
fn a_web_server_serves_the_directory_and_may_not_overdo_it() {
    let (publisher, reader) = (Publisher::new(), User::new());
    publisher.publish("first", &publisher.path("shelf"), &[]).exits(0);
    let root = publisher.user.path("shelf");
    let web = Web::start(move |request| match request.path.strip_prefix("/advisories/") {
        Some(file) if !file.contains("..") => match fs::read(root.join(file)) {
            Ok(bytes) => Reply::new(200, bytes),
            Err(_) => Reply::new(404, ""),
        },
        _ => Reply { endless: true, ..Reply::new(200, vec![b' '; 1 << 16]) },
    });
    publisher.pull(&reader, &format!("{}/advisories", web.address())).exits(0);
    assert!(publisher.has(&reader, "first"));
    let ran = publisher.pull(&reader, &format!("{}/endless", web.address())).exits(2);
    assert!(ran.stderr.contains("sends more than 1048576 bytes"), "{ran:?}");
    let ran = publisher.publish("first", &format!("{}/advisories", web.address()), &[]).exits(2);
    assert!(ran.stderr.contains("publish there, then copy it"), "{ran:?}");
    let ran = publisher.pull(&reader, &publisher.path("nowhere")).exits(2);
    assert!(ran.stderr.contains("nothing is published at"), "{ran:?}");
}
