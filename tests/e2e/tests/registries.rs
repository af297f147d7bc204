//! Registries as they are met: large, behind mirrors and proxies, on bad networks.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use dogwatch_e2e::images::{copy, small};
use dogwatch_e2e::program::{Ran, User};
use dogwatch_e2e::registry::{Passage, Registry, address};
use dogwatch_e2e::{have, skip};
use serde_json::Value;

/// A user and a registry that has the small image as `seed:1`.
fn start(variables: &[(&str, &str)]) -> Option<(User, Registry)> {
    let layout = small()?;
    if !have(&["skopeo", "docker-registry"]) {
        return None;
    }
    let user = User::new();
    let registry = Registry::start_set(&user.path("home"), variables);
    copy(&format!("oci:{}:small", layout.display()), &format!("docker://{}", registry.reference("seed:1")), &[]);
    Some((user, registry))
}

/// The tags that were scanned, from JSON lines.
fn scanned(ran: &Ran) -> Vec<String> {
    let reports = ran.stdout.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let name = |report: &Value| report["artifact"]["target"].as_str().unwrap_or("none").to_owned();
    reports.map(|report| name(&report).rsplit('/').next().unwrap_or_default().to_owned()).collect()
}

// Proves: source PATTERN.
#[test]
fn a_pattern_stands_for_every_image_that_matches() {
    let Some((user, registry)) = start(&[]) else { return };
    // The catalog has pages of 100: the repositories that are meant come after them.
    (0..120).for_each(|number| registry.also(("seed", "1"), &format!("other/x{number}"), &["v1.0"]));
    let versions: Vec<String> = (0..30).map(|number| format!("v1.{number}")).collect();
    let versions: Vec<&str> = versions.iter().map(String::as_str).collect();
    let attached = format!("sha256-{}.sig", "0a".repeat(32));
    registry.also(("seed", "1"), "team/a", &[versions.as_slice(), &["v2.0", "latest", &attached]].concat());
    registry.also(("seed", "1"), "team/b", &["v1.0", "edge"]);
    registry.also(("seed", "1"), "team/b/deep", &["v1.0"]);

    let scan = |pattern: &str, more: &[&str]| {
        let target = registry.reference(pattern);
        user.run(&[&["scan", &target, "--inventory-only", "-o", "json"], more].concat())
    };
    let ran = scan("team/*:v1.*", &["--max-tags", "3", "--jobs", "4"]).exits(0);
    assert_eq!(scanned(&ran), ["a:v1.29", "a:v1.28", "a:v1.27", "b:v1.0"]);
    assert!(ran.stderr.contains("27 older tags left out by `--max-tags`"), "{}", ran.stderr);
    let ran = scan("team/a:*", &["--max-images", "5"]).exits(0);
    assert_eq!(scanned(&ran), ["a:v2.0", "a:v1.29", "a:v1.28", "a:v1.27", "a:v1.26"]);
    assert!(ran.stderr.contains("27 images left out by `--max-images`"), "{}", ran.stderr);
    assert!(ran.stderr.contains("1 tag of signatures and attestations left out"), "{}", ran.stderr);
    assert_eq!(scanned(&scan("**/deep:v?.0", &[]).exits(0)), ["deep:v1.0"]);

    let ran = scan("nobody/*:*", &[]).exits(2);
    assert!(ran.stderr.contains("nothing that matches"), "{}", ran.stderr);
    assert!(scan("team/*:*", &["--offline"]).exits(2).stderr.contains("forbids the network"));
    // One target that is no pattern, and one that fails, hide nothing.
    let ran = user.run(&["scan", &registry.reference("nobody:*"), &registry.reference("team/b:edge"), "-o", "json"]);
    assert_eq!(scanned(&ran.exits(2)), ["none", "b:edge"]);
    // Ten images are more requests than that.
    let started = Instant::now();
    scan("other/x1?:*", &["--rate", "10", "--jobs", "4"]).exits(0);
    assert!(started.elapsed() >= Duration::from_secs(1), "{:?}", started.elapsed());
}

#[test]
fn a_mirror_is_asked_first_and_the_registry_when_it_has_nothing() {
    let Some((user, mirror)) = start(&[]) else { return };
    mirror.also(("seed", "1"), "hub/team/app", &["1"]);
    let scan = |target: &str, mirror: &str| {
        user.run_in(
            &["scan", target, "--no-cache", "--inventory-only", "-o", "json"],
            "",
            &[("DOGWATCH_REGISTRY_MIRROR", mirror)],
        )
    };
    // Nobody but the mirror has this name.
    let known = format!("registry.invalid=localhost:{}/hub", mirror.port);
    let report = scan("registry:registry.invalid/team/app:1", &known).exits(0).json();
    assert_eq!(report["artifact"]["names"], serde_json::json!(["registry.invalid/team/app:1"]), "its name stays");
    assert!(report["inventory"]["packages"].as_array().is_some_and(|packages| packages.len() > 150));
    scan("registry:registry.invalid/team/other:1", &known).exits(2);
    // A mirror that has nothing, and one that is not there.
    let empty = Registry::start_set(&user.path("empty"), &[]);
    for mirror_port in [empty.port, 1] {
        let aside = format!("localhost:{}=localhost:{mirror_port}", mirror.port);
        scan(&format!("registry:{}", mirror.reference("seed:1")), &aside).exits(0);
    }
    // As the containers tools are configured.
    let conf = user.file(
        "registries.conf",
        &format!("[[registry]]\nlocation = \"registry.invalid\"\n[[registry.mirror]]\nlocation = \"localhost:{}/hub\"\ninsecure = true\n", mirror.port),
    );
    let arguments = ["scan", "registry:registry.invalid/team/app:1", "--inventory-only", "-o", "json"];
    user.run_in(&arguments, "", &[("CONTAINERS_REGISTRIES_CONF", &conf)]).exits(0);
    let wrong = user.run(&["scan", "x", "--registry-mirror", "docker.io"]).exits(2);
    assert!(wrong.stderr.contains("names no mirror"), "{}", wrong.stderr);
}

#[test]
fn an_image_comes_whole_over_connections_that_break() {
    let Some((user, registry)) = start(&[]) else { return };
    let whole = user.scan(&format!("registry:{}", registry.reference("seed:1")), &["--no-cache"]);
    let passage = Passage::start(Ipv4Addr::LOCALHOST, registry.port, 1 << 20);
    let broken = user.scan(&format!("registry:localhost:{}/seed:1", passage.port), &["--no-cache"]);
    assert!(passage.cuts() >= 3, "{} connections were cut", passage.cuts());
    assert_eq!(broken["inventory"], whole["inventory"]);
    assert_eq!(broken["artifact"]["layers"], whole["artifact"]["layers"]);
}

/// Debian's tinyproxy.
struct Proxy {
    process: Child,
    port: u16,
    log: std::path::PathBuf,
}

impl Proxy {
    fn start(directory: &Path) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port();
        let log = directory.join(format!("proxy-{port}.log"));
        let text = format!(
            "Port {port}\nListen 127.0.0.1\nAllow 127.0.0.1\nLogLevel Info\nLogFile \"{}\"\nTimeout 60\n",
            log.display()
        );
        let config = directory.join(format!("proxy-{port}.conf"));
        std::fs::write(&config, text).expect("a configuration file");
        std::fs::write(&log, "").expect("a log");
        let mut command = Command::new("tinyproxy");
        command.arg("-d").arg("-c").arg(config).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let proxy = Self { process: command.spawn().expect("tinyproxy starts"), port, log };
        let started = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(started.elapsed() < Duration::from_secs(30), "tinyproxy does not answer");
            std::thread::sleep(Duration::from_millis(50));
        }
        proxy
    }

    fn log(&self) -> String {
        std::fs::read_to_string(&self.log).expect("a log")
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn proxies_of_the_environment_are_used_and_avoided() {
    if !have(&["tinyproxy", "openssl"]) {
        return;
    }
    let Some(address) = address() else { return skip("this machine has no address but localhost") };
    let Some((user, registry)) = start(&[]) else { return };
    let passage = Passage::start(address, registry.port, u64::MAX);
    let target = format!("registry:{address}:{}/seed:1", passage.port);
    let run = |variables: &[(&str, &str)], more: &[&str]| {
        user.run_in(&[&["scan", &target, "--no-cache", "--inventory-only", "-o", "json"], more].concat(), "", variables)
    };
    for (variable, expected) in [("HTTP_PROXY", true), ("ALL_PROXY", true), ("NO_PROXY", false)] {
        let proxy = Proxy::start(&user.path(""));
        let url = format!("http://127.0.0.1:{}", proxy.port);
        let no_proxy = address.to_string();
        let variables = match variable {
            "NO_PROXY" => vec![("HTTP_PROXY", url.as_str()), ("HTTPS_PROXY", &url), ("NO_PROXY", &no_proxy)],
            other => vec![(other, url.as_str())],
        };
        run(&variables, &["--insecure-http"]).exits(0);
        let log = proxy.log();
        assert_eq!(log.contains(&format!("{address}:{}", passage.port)), expected, "{variable}:\n{log}");
    }
    // The proxy is not there, and nobody goes around it.
    run(&[("ALL_PROXY", "http://127.0.0.1:1")], &["--insecure-http"]).exits(2);
    // A registry on this machine is reached without one.
    let here = format!("registry:{}", registry.reference("seed:1"));
    user.run_in(&["scan", &here, "--inventory-only", "-o", "json"], "", &[("ALL_PROXY", "http://127.0.0.1:1")])
        .exits(0);
}

#[test]
fn tls_goes_through_a_proxys_tunnel() {
    if !have(&["tinyproxy", "openssl"]) {
        return;
    }
    let Some(address) = address() else { return skip("this machine has no address but localhost") };
    let home = User::new();
    let path = |name: &str| home.path(name).display().to_string();
    let openssl = |arguments: &[&str]| {
        let output = Command::new("openssl").args(arguments).stdin(Stdio::null()).output().expect("openssl starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    let (ca, ca_key, csr, cert, key) = (path("ca.pem"), path("ca.key"), path("r.csr"), path("r.pem"), path("r.key"));
    let new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    openssl(
        &[&["req", "-x509"], &new[..], &["-keyout", &ca_key, "-out", &ca, "-days", "2", "-subj", "/CN=test"]].concat(),
    );
    openssl(&[&["req"], &new[..], &["-keyout", &key, "-out", &csr, "-subj", "/CN=localhost"]].concat());
    let extensions = home.file("ext", &format!("subjectAltName=DNS:localhost,IP:{address}\n"));
    openssl(&[
        "x509",
        "-req",
        "-in",
        &csr,
        "-CA",
        &ca,
        "-CAkey",
        &ca_key,
        "-CAcreateserial",
        "-out",
        &cert,
        "-days",
        "2",
        "-extfile",
        &extensions,
    ]);
    let tls = [("REGISTRY_HTTP_TLS_CERTIFICATE", cert.as_str()), ("REGISTRY_HTTP_TLS_KEY", key.as_str())];
    let Some((user, registry)) = start(&tls) else { return };
    let passage = Passage::start(address, registry.port, u64::MAX);
    let proxy = Proxy::start(&user.path(""));
    let url = format!("http://127.0.0.1:{}", proxy.port);
    let target = format!("registry:{address}:{}/seed:1", passage.port);
    let arguments = ["scan", &target, "--ca-file", &ca, "--inventory-only", "-o", "json"];
    user.run_in(&arguments, "", &[("HTTPS_PROXY", &url)]).exits(0);
    let log = proxy.log();
    assert!(log.contains(&format!("CONNECT {address}:{}", passage.port)), "{log}");
}
