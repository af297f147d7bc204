//! The description of the API against the running server, by somebody else's program (PyPI's `schemathesis`).

use std::path::PathBuf;
use std::process::Command;

use dogwatch_e2e::images::{made, small};
use dogwatch_e2e::program::User;
use dogwatch_e2e::server::{Server, on_both};
use dogwatch_e2e::skip;

fn schemathesis() -> Option<PathBuf> {
    let place = made("schemathesis", |partial| {
        let mut command = Command::new("python3");
        command.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--root-user-action=ignore"]);
        command.args(["schemathesis==4.32.5", "--target"]).arg(partial);
        xtask::machine::run(command)
    })?;
    let runs = Command::new("python3").args(["-m", "schemathesis.cli", "--version"]).env("PYTHONPATH", &place).output();
    if runs.is_ok_and(|ran| ran.status.success()) {
        return Some(place);
    }
    skip("schemathesis does not run here");
    None
}

#[test]
fn the_server_does_what_its_description_says() {
    let (Some(place), Some(small)) = (schemathesis(), small()) else { return };
    on_both(|database| {
        let user = User::new();
        let server = Server::start(&user, database, None, None);
        let user = user.with("DOGWATCH_TOKEN", &*server.token);
        user.run(&["scan", &format!("oci-dir:{}:small", small.display()), "--server", &server.url, "-o", "json"]);
        let mut command = Command::new("python3");
        command.args(["-m", "schemathesis.cli", "run", &format!("{}/api/v1/openapi.json", server.url)]);
        command.args(["-H", &format!("Authorization: Bearer {}", server.token)]);
        // The stream does not end, and a token that is revoked at random may be the one in use. What is well-formed may still name
        // nothing (a cursor, a document): that is said with 400, which one check takes for a mistake.
        command.args(["--exclude-path-regex", "stream|tokens", "--exclude-checks", "positive_data_acceptance"]);
        command.args(["--max-examples", "20", "--request-timeout", "10", "--seed", "1", "--no-color"]);
        let ran = command.env("PYTHONPATH", &place).current_dir(user.path("")).output().expect("python3 starts");
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stdout));
    });
}
