//! What a real Docker engine runs, told to a server as it happens.

use std::time::{Duration, Instant};

use dogwatch_e2e::engines::Engine;
use dogwatch_e2e::program::User;
use dogwatch_e2e::server::Server;
use dogwatch_e2e::skip;
use serde_json::Value;
use xtask::parts;

/// Asks until something is so.
fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = ask() {
            return found;
        }
        assert!(began.elapsed() < Duration::from_secs(90), "{what}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn a_container_that_lives_three_seconds_is_known_and_judged() {
    let Ok(debian) = parts::debian() else { return skip("Debian cannot be fetched") };
    let Some(docker) = Engine::docker() else { return };
    docker.run(&["import", &debian.display().to_string(), "shop:12"]);
    let user = User::new();
    let server = Server::start(&user, None, None, None);
    let user = user
        .with("DOGWATCH_TOKEN", &*server.token)
        .with("DOCKER_HOST", format!("unix://{}", docker.socket().display()));
    let run = |name: &str, seconds: &str| {
        docker.run(&[
            "run",
            "--detach",
            "--rm",
            "--network",
            "none",
            "--label",
            "team=a",
            "--name",
            name,
            "shop:12",
            "sleep",
            seconds,
        ])
    };
    run("before", "600");
    let mut watch = user.start(&[], &["watch", "docker", "--environment", "prod-eu", "--server", &server.url]);
    let started = |name: &str| {
        let changes = server.changes(0);
        let found = changes
            .iter()
            .find(|change| change["type"] == "dev.dogwatch.workload.started" && change["data"]["workload"] == name);
        found.map(|change| change["data"].clone())
    };
    until("what runs already is told", || started("before"));
    run("brief", "3");
    let told = until("what is started is told", || started("brief"));
    assert_eq!((&told["environment"], &told["image_name"]), (&Value::from("prod-eu"), &Value::from("shop:12")));
    until("its end is told", || {
        server
            .changes(0)
            .into_iter()
            .find(|change| change["type"] == "dev.dogwatch.workload.stopped" && change["data"]["workload"] == "brief")
    });
    // Its image was looked into, and judged by the server.
    let image = until("its image is known", || server.list("/api/v1/images").into_iter().next());
    assert_eq!(
        (&image["first_stage"], &image["name"]),
        (&Value::from("running"), &Value::from("docker.io/library/shop:12"))
    );
    assert!(image["findings"].as_u64() > Some(20), "{image}");
    let running = until("the other still runs", || {
        let names: Vec<Value> = server.list("/api/v1/workloads").into_iter().map(|row| row["name"].clone()).collect();
        (names == ["before"]).then_some(names)
    });
    assert_eq!(running.len(), 1);
    until("the image knows what runs it", || {
        server.list("/api/v1/images?filter=running%3E0").into_iter().find(|image| image["running"] == 1)
    });
    let _ = watch.kill();
    let _ = watch.wait();
}
