//! What scans remember, shared by several processes and users.

use dogwatch_e2e::images::small;
use dogwatch_e2e::program::User;
use serde_json::Value;

#[test]
fn processes_that_share_a_cold_cache_agree_and_leave_it_whole() {
    let Some(layout) = small() else { return };
    let (user, other) = (User::new(), User::new());
    let target = format!("oci-dir:{}", layout.display());
    let cache = user.path("shared").display().to_string();
    let arguments = ["scan", &target, "--cache-dir", &cache, "-o", "json"];
    let alone: Value = user.scan(&target, &["--no-cache"]);
    // One of them is killed in the middle.
    let mut killed = user.start(&[], &arguments);
    let together: Vec<_> =
        (0..5).map(|number| if number % 2 == 0 { &user } else { &other }.start(&[], &arguments)).collect();
    std::thread::sleep(std::time::Duration::from_millis(150));
    killed.kill().expect("a process");
    killed.wait().expect("a process");
    for process in together {
        let output = process.wait_with_output().expect("the program ends");
        let report: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
        assert_eq!(report["inventory"], alone["inventory"]);
        assert_eq!(report["findings"], alone["findings"]);
    }
    // Whoever comes later, also another user, reads what they left.
    let warm = other.scan(&target, &["--cache-dir", &cache]);
    assert_eq!(warm["inventory"], alone["inventory"]);
    let layers = std::fs::read_dir(user.path("shared/layers")).expect("layers").flatten().next().expect("a version");
    let entries: Vec<_> = std::fs::read_dir(layers.path()).expect("entries").flatten().collect();
    let whole = entries.iter().filter(|entry| entry.file_name().len() == 64).count();
    assert_eq!(whole, 3, "one entry for each layer: {entries:?}");
}

#[test]
fn the_cache_says_what_it_holds_and_can_be_emptied() {
    let Some(layout) = small() else { return };
    let user = User::new();
    let target = format!("oci-dir:{}", layout.display());
    user.scan(&target, &[]);
    let status = user.run(&["cache", "status"]).exits(0).stdout;
    assert!(status.lines().any(|line| line.starts_with("layers") && line.contains(" 3 entries")), "{status}");
    user.run(&["cache", "clear"]).exits(0);
    let status = user.run(&["cache", "status"]).exits(0).stdout;
    assert!(status.lines().any(|line| line.starts_with("layers") && line.contains(" 0 entries")), "{status}");
    user.scan(&target, &[]);
    // A directory that was named by mistake keeps what it has.
    std::fs::create_dir_all(user.path("mine/layers")).expect("a directory");
    let mine = user.path("mine").display().to_string();
    let refused = user.run(&["cache", "clear", "--cache-dir", &mine]).exits(2).stderr;
    assert!(refused.contains("may be no cache") && user.path("mine/layers").exists(), "{refused}");
}
