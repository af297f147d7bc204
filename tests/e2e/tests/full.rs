//! A disk that is full: what is refused is said, what was acknowledged stays, and it goes on when there is room.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use dogwatch_e2e::claims::{claim, small_report};
use dogwatch_e2e::program::{User, index};
use dogwatch_e2e::server::Server;
use dogwatch_e2e::{have, skip};

/// Room for the database, beside the advisories and the ballast.
const ROOM_MIB: u64 = 6;
const BALLAST_MIB: u64 = 8;

/// Mounts a small file system where only what it starts sees it, and lays something on it that can be thrown off.
const MOUNT: &str =
    r#"mount -t tmpfs -o "size=$2m" none "$1" && head -c "$3" /dev/zero >"$1/ballast" && shift 3 && exec "$@""#;

/// Whether a private file system may be mounted here.
fn can_mount(user: &User) -> bool {
    let directory = user.path("").display().to_string();
    let probe = ["-rm", "sh", "-c", "mount -t tmpfs none \"$0\"", &directory];
    let can = have(&["unshare"])
        && std::process::Command::new("unshare").args(probe).output().is_ok_and(|output| output.status.success());
    if !can {
        skip("a small file system cannot be mounted here (`unshare -rm`)");
    }
    can
}

#[test]
fn a_full_disk_is_said_loses_nothing_and_is_over_when_there_is_room() {
    let user = User::new();
    if !can_mount(&user) {
        return;
    }
    let Some(report) = small_report(&user) else { return };
    let data = user.path("server");
    std::fs::create_dir(&data).expect("a directory");
    let (data, advisories) = (data.display().to_string(), index().display().to_string());
    let index_mib = std::fs::metadata(index()).expect("an index").len().div_ceil(1 << 20);
    let size = (index_mib + ROOM_MIB + BALLAST_MIB).to_string();
    let ballast = (BALLAST_MIB << 20).to_string();
    let wrapper = ["unshare", "-rm", "sh", "-c", MOUNT, "sh", &data, &size, &ballast];
    let serve = ["serve", "--data-dir", &data, "--listen", "127.0.0.1:0", "--index", &advisories];
    let server = Server::of(user.start_under(&wrapper, &[], &serve), None);
    let user = user.with("DOGWATCH_TOKEN", &*server.token);
    let upload = |number: usize| server.ask("POST", "/api/v1/reports", &server.token, Some(&claim(&report, number)));

    let mut acknowledged = BTreeSet::new();
    let (refused, problem) = (0..5000)
        .find_map(|number| match upload(number) {
            (200, answer) => {
                acknowledged.insert(answer["image"].as_str().expect("a digest").to_owned());
                None
            }
            (status, problem) => {
                assert_eq!(status, 507, "{problem}");
                Some((number, problem))
            }
        })
        .expect("the disk is full some time");
    assert!(refused > 5, "{refused}");
    let detail = problem["detail"].as_str().expect("a detail");
    assert!(detail.contains("nothing was changed") && detail.contains("free"), "{problem}");
    assert_eq!(problem["status"], 507);

    // It stays so, is said, and is read from all the same.
    for number in 0..20 {
        let (status, answer) = upload(refused + number);
        assert!([200, 507].contains(&status), "{answer}: {}", server.log());
    }
    let (status, ready) = server.ask("GET", "/readyz", "", None);
    assert_eq!((status, &ready["title"]), (507, &problem["title"]), "{ready}");
    assert_eq!(server.ask("GET", "/healthz", "", None).0, 200);
    let known = || -> BTreeSet<String> {
        let images = server.list("/api/v1/images?limit=1000");
        images.iter().map(|image| image["digest"].as_str().expect("a digest").to_owned()).collect()
    };
    assert!(known().is_superset(&acknowledged));

    let ballast = PathBuf::from(format!("/proc/{}/root{data}/ballast", server.id()));
    std::fs::remove_file(&ballast).expect("thrown off");
    let began = Instant::now();
    while server.ask("GET", "/readyz", "", None).0 != 200 {
        assert!(began.elapsed() < Duration::from_secs(60), "it does not go on by itself");
        std::thread::sleep(Duration::from_millis(200));
    }
    for number in 10_000..10_010 {
        let (status, answer) = upload(number);
        assert_eq!(status, 200, "{answer}");
        acknowledged.insert(answer["image"].as_str().expect("a digest").to_owned());
    }
    server.settle();
    assert!(known().is_superset(&acknowledged), "nothing acknowledged is lost");
    let numbers: Vec<u64> = server.changes(0).iter().filter_map(|change| change["id"].as_str()?.parse().ok()).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>(), "the feed has gaps");
    let log = user.run(&["audit-log", "export", "--server", &server.url]).exits(0).stdout;
    user.run(&["audit-log", "verify", &user.file("audit.jsonl", &log)]).exits(0);
}
