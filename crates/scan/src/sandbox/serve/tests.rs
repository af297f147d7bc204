//! A reading process in the hands of whoever made the image.

use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::time::Instant;

use expect_test::{Expect, expect};

use super::*;
use crate::bases::Bases;
use crate::cache::Cache;
use crate::progress::Event;
use crate::sandbox::confine::Confinement;
use crate::target::Target;

/// What becomes of a scan whose reading process behaves like this, and the files that were written.
fn served(behave: impl FnOnce(UnixStream) + Send + 'static) -> (String, Vec<PathBuf>) {
    // Long enough in all for a busy machine; the test of that has less.
    within(Patience { silence: Duration::from_millis(300), whole: Duration::from_secs(300) }, behave)
}

fn within(patience: Patience, behave: impl FnOnce(UnixStream) + Send + 'static) -> (String, Vec<PathBuf>) {
    let directory = tempfile::tempdir().unwrap();
    let cache = Cache::new(directory.path().join("cache"), &[]);
    let options = InspectOptions {
        source: Default::default(),
        cache: Some(cache),
        bases: Bases::default(),
        exclude: Default::default(),
        progress: Default::default(),
        sandbox: Default::default(),
    };
    let job = Job {
        target: Target::Sbom("bill.json".into()),
        platform: None,
        offline: true,
        cache: None,
        bases: Bases::default(),
        kept: Confinement { readable: Vec::new(), spool: "spool".into(), from_root: false },
    };
    let (ours, theirs) = UnixStream::pair().unwrap();
    let other = thread::spawn(move || {
        wire::receive::<Job>(&theirs, true).unwrap().unwrap();
        behave(theirs);
    });
    let served = serve(&ours, &job, None, &options, patience);
    drop(ours);
    other.join().unwrap();
    let mut written = Vec::new();
    files(directory.path(), &mut written);
    (format!("{:?}", served.map(|_| "findings")), written)
}

fn files(directory: &std::path::Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap().flatten() {
        match entry.path() {
            path if path.is_dir() => files(&path, found),
            path => found.push(path),
        }
    }
}

fn check(behave: impl FnOnce(UnixStream) + Send + 'static, expected: Expect) {
    let (outcome, written) = served(behave);
    expected.assert_eq(&outcome);
    assert_eq!(written, Vec::<PathBuf>::new());
}

fn say(socket: &UnixStream, word: &Word, body: &[u8]) {
    // The other side may have ended it already.
    wire::send(socket, word, body, None).ok();
}

#[test]
fn what_ends_says_so() {
    check(drop, expect!["Err(Gone)"]);
    check(|socket| say(&socket, &Word::Confined, &[]), expect!["Err(Gone)"]);
    // In the middle of a word.
    check(|mut socket| socket.write_all(&[4, 0, 0]).unwrap(), expect!["Err(Gone)"]);
}

#[test]
fn what_is_no_word_is_not_believed() {
    check(
        |mut socket| socket.write_all(&[0xff; 4096]).unwrap(),
        expect![[r#"Err(Untrusted("it wants to say 4294967295 and 18446744073709551615 bytes"))"#]],
    );
    let said = |head: u32, body: u64, rest: &[u8]| [&head.to_le_bytes(), &body.to_le_bytes()[..], rest].concat();
    let long = said(12, wire::BODY_BYTES_MAX + 1, &[0; 12]);
    let long = move |mut socket: UnixStream| socket.write_all(&long).unwrap();
    check(long, expect![[r#"Err(Untrusted("it wants to say 12 and 1073741825 bytes"))"#]]);
    let nonsense = said(4, 0, &[0xc1; 4]);
    let nonsense = move |mut socket: UnixStream| socket.write_all(&nonsense).unwrap();
    check(nonsense, expect![[r#"Err(Untrusted("wrong msgpack marker Reserved"))"#]]);
    let findings = |socket: UnixStream| {
        say(&socket, &Word::Confined, &[]);
        say(&socket, &Word::Found, b"no findings");
    };
    check(findings, expect![[r#"Err(Untrusted("invalid type: integer `110`, expected struct Inspection"))"#]]);
}

#[test]
fn what_was_read_in_freedom_does_not_count() {
    let event = || Event::Unconfined { target: "x".into(), why: "y".into() };
    check(
        move |socket| say(&socket, &Word::Progress(event()), &[]),
        expect![[r#"Err(Untrusted("it read before it was confined"))"#]],
    );
    check(|socket| say(&socket, &Word::Found, &[]), expect![[r#"Err(Untrusted("it read before it was confined"))"#]]);
    let twice = |socket: UnixStream| {
        say(&socket, &Word::Confined, &[]);
        say(&socket, &Word::NotConfined("after all".into()), &[]);
    };
    check(twice, expect![[r#"Err(Untrusted("it says twice whether it is confined"))"#]]);
}

#[test]
fn nothing_leaves_the_cache() {
    for key in ["../../../../etc/cron.d/x", "", "sha256:00", "/etc/passwd", &"g".repeat(64)] {
        let key = key.to_owned();
        let alone = Word::Alone(key.clone());
        check(
            move |socket| {
                say(&socket, &Word::Confined, &[]);
                say(&socket, &Word::Keep { kind: Kind::Layer, key }, b"entry");
            },
            expect![[r#"Err(Untrusted("it wants to cache something under a key that is none"))"#]],
        );
        check(
            move |socket| {
                say(&socket, &Word::Confined, &[]);
                say(&socket, &alone, &[]);
            },
            expect![[r#"Err(Untrusted("it wants to be alone with nothing"))"#]],
        );
    }
}

#[test]
fn an_entry_is_kept_under_its_key() {
    let (_, written) = served(|socket| {
        say(&socket, &Word::Confined, &[]);
        say(&socket, &Word::Keep { kind: Kind::Layer, key: "0".repeat(64) }, b"entry");
        let (reply, ..) = wire::receive::<Reply>(&socket, true).unwrap().unwrap();
        assert!(matches!(reply, Reply::Done), "{reply:?}");
    });
    let entries = written.iter().filter(|path| path.ends_with("0".repeat(64))).count();
    assert_eq!((entries, written.len()), (1, 2), "and the tag of the directory: {written:?}");
}

/// It may ask about its own target, and a bill of materials is nowhere else.
#[test]
fn nothing_else_is_fetched() {
    let digest = model::digest::Digest::parse(&format!("sha256:{}", "0".repeat(64))).unwrap();
    let questions = [
        Question::Top,
        Question::Manifest(digest.clone()),
        Question::Size(digest.clone()),
        Question::Referrers(digest),
    ];
    for question in questions {
        check(
            move |socket| {
                say(&socket, &Word::Confined, &[]);
                say(&socket, &Word::Ask(question), &[]);
                let (reply, ..) = wire::receive::<Reply>(&socket, true).unwrap().unwrap();
                assert!(matches!(reply, Reply::Failed(_)), "{reply:?}");
            },
            expect!["Err(Gone)"],
        );
    }
}

#[test]
fn nobody_waits_for_the_silent() {
    let began = Instant::now();
    check(
        |socket| {
            say(&socket, &Word::Confined, &[]);
            // Until the other side has enough.
            (&socket).read_exact(&mut [0]).ok();
        },
        expect!["Err(Silent(300ms))"],
    );
    assert!(began.elapsed() < Duration::from_secs(20));
}

/// A byte or a word now and then is no reason to wait for ever.
#[test]
fn nobody_waits_for_the_slow() {
    let patience = Patience { silence: Duration::from_secs(60), whole: Duration::from_millis(500) };
    let event = || Event::Layers { target: "x".into(), of: 1, bytes: 1 };
    let (outcome, _) = within(patience, move |socket| {
        say(&socket, &Word::Confined, &[]);
        while wire::send(&socket, &Word::Progress(event()), &[], None).is_ok() {
            thread::sleep(Duration::from_millis(50));
        }
    });
    assert_eq!(outcome, "Err(Slow(500ms))");
    let (outcome, _) = within(patience, |mut socket| {
        say(&socket, &Word::Confined, &[]);
        // A body of a mebibyte, a byte at a time.
        let head = wire::encode(&Word::Found).unwrap();
        let lengths = [&(head.len() as u32).to_le_bytes()[..], &(1u64 << 20).to_le_bytes(), &head].concat();
        socket.write_all(&lengths).unwrap();
        while socket.write_all(&[0]).is_ok() {
            thread::sleep(Duration::from_millis(50));
        }
    });
    assert_eq!(outcome, "Err(Slow(500ms))");
}

#[test]
fn it_speaks_of_its_own_target_only() {
    check(
        |socket| {
            say(&socket, &Word::Confined, &[]);
            let event = Event::Unconfined { target: "another".into(), why: "so that nobody looks".into() };
            say(&socket, &Word::Progress(event), &[]);
        },
        expect![[r#"Err(Untrusted("it says that it is not confined"))"#]],
    );
}

#[test]
fn nobody_listens_for_ever() {
    check(
        |socket| {
            for _ in 0..=WORDS_MAX {
                say(&socket, &Word::Confined, &[]);
            }
        },
        expect![[r#"Err(Untrusted("it said more than 20000 things"))"#]],
    );
}

/// Each takes a thread here and two descriptors.
#[test]
fn not_more_streams_than_a_scan_needs() {
    check(
        |socket| {
            say(&socket, &Word::Confined, &[]);
            let mut held = Vec::new();
            for at in 0..=STREAMS_MAX {
                say(&socket, &Word::Alone(format!("{at:064x}")), &[]);
                match wire::receive::<Reply>(&socket, true) {
                    Ok(Some((_, _, descriptor))) => held.extend(descriptor),
                    _ => break,
                }
            }
            assert!(held.iter().all(|descriptor| descriptor.as_raw_fd() > 2));
        },
        expect![[r#"Err(Untrusted("it reads more than 1024 things at once"))"#]],
    );
}
