//! Images from a real registry: Debian's docker-registry, filled by skopeo.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;

use dogwatch_scan::source::{self, Compression, Credentials, RegistryOptions, SourceIdentity, SourceOptions};
use tempfile::TempDir;

use super::tools::*;

const TOOLS: &[&str] = &["umoci", "skopeo", "docker-registry"];

fn push(layout: &Path, tag: &str, to: &str, more: &[&str]) {
    let from = format!("oci:{}:{tag}", layout.display());
    let to = format!("docker://{to}");
    run("skopeo", &[&["copy", "--insecure-policy", "-q", "--dest-tls-verify=false"], more, &[&from, &to]].concat());
}

#[test]
fn a_registry_gives_the_same_image_by_tag_digest_and_platform() {
    if !have(TOOLS) {
        return;
    }
    let scratch = TempDir::new().unwrap();
    let (layout, options) = (layout(&scratch), SourceOptions::default());
    let registry = Registry::start(scratch.path(), "", "");
    let host = format!("localhost:{}", registry.port);
    // Another repository and an image of its own, or skopeo would not compress again what is there already.
    push(&layout, "other", &format!("{host}/team/zstd:1"), &["--dest-compress-format", "zstd", "--format", "oci"]);
    push(&layout, "base", &format!("{host}/team/app:1"), &[]);
    add_index(&layout);
    push(&layout, "multi", &format!("{host}/team/app:multi"), &["--all"]);

    let local = check(&format!("oci-dir:{}:base", layout.display()), &options);
    let image = check(&format!("{host}/team/app:1"), &options);
    assert_eq!(essence(&image), essence(&local));
    assert_eq!(image.artifact.manifest_digest, local.artifact.manifest_digest);
    assert_eq!(image.artifact.names, [format!("{host}/team/app:1")]);
    let digest = image.artifact.manifest_digest.unwrap();
    assert!(matches!(&image.identity, SourceIdentity::Manifest { digest: found, .. } if *found == digest));
    assert_eq!(essence(&check(&format!("registry:{host}/team/app@{digest}"), &options)), essence(&local));

    let zstd = check(&format!("{host}/team/zstd:1"), &options);
    let mut head = [0; Compression::MAGIC_BYTES];
    zstd.layers[0].open().unwrap().read_exact(&mut head).unwrap();
    assert_eq!(Compression::detect(&head), Ok(Compression::Zstd));

    let on = |platform: &str| SourceOptions { platform: Some(platform.parse().unwrap()), ..SourceOptions::default() };
    let multi = format!("{host}/team/app:multi");
    let arm = check(&multi, &on("linux/arm64"));
    assert_eq!(arm.artifact.platform.as_deref(), Some("linux/arm64"));
    assert_ne!(check(&multi, &on("linux/amd64")).identity, arm.identity, "one tag, two images");
    let error = error_of(&multi, &on("linux/s390x"));
    assert!(error.contains("no image for linux/s390x, only for linux/amd64, linux/arm64"), "{error}");

    let error = error_of(&format!("{host}/team/app:nope"), &options);
    assert!(
        error.contains(&format!(
            "registry `{host}` does not have the manifest `nope` of `{host}/team/app` | hint: check the name"
        )),
        "{error}"
    );
    drop(registry);
    let error = error_of(&format!("{host}/team/app:1"), &options);
    assert!(error.starts_with(&format!("could not talk to `{host}`")), "{error}");
    assert!(
        source::identify(&format!("{host}/team/app@{digest}").parse().unwrap(), &options).is_ok(),
        "a digest needs no registry"
    );
}

/// Adds an index `multi` of the images `base` and `arm` to the layout.
fn add_index(layout: &Path) {
    let file = layout.join("index.json");
    let mut index: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let manifests = index["manifests"].as_array().unwrap().clone();
    let entry = |tag: &str, architecture: &str| {
        let found = manifests.iter().find(|entry| entry["annotations"]["org.opencontainers.image.ref.name"] == tag);
        let mut entry = found.unwrap().clone();
        entry["platform"] = serde_json::json!({"os": "linux", "architecture": architecture});
        entry.as_object_mut().unwrap().remove("annotations");
        entry
    };
    let media_type = "application/vnd.oci.image.index.v1+json";
    let entries = [entry("base", "amd64"), entry("arm", "arm64")];
    let multi = serde_json::json!({"schemaVersion": 2, "mediaType": media_type, "manifests": entries}).to_string();
    let digest = digest_of(multi.as_bytes());
    std::fs::write(layout.join("blobs/sha256").join(digest.hex()), &multi).unwrap();
    let name = serde_json::json!({"org.opencontainers.image.ref.name": "multi"});
    let descriptor =
        serde_json::json!({"mediaType": media_type, "digest": digest, "size": multi.len(), "annotations": name});
    index["manifests"].as_array_mut().unwrap().push(descriptor);
    std::fs::write(file, index.to_string()).unwrap();
}

#[test]
fn a_registry_with_passwords_gives_images_to_those_who_have_one() {
    if !have(TOOLS) {
        return;
    }
    let scratch = TempDir::new().unwrap();
    let layout = layout(&scratch);
    // `correct horse`, hashed with bcrypt.
    std::fs::write(
        scratch.path().join("htpasswd"),
        "alice:$2y$05$abcdefghijklmnopqrstuuHNbAKRhpaujgo33bRWs.NLUTJO3lOy2\n",
    )
    .unwrap();
    let auth = format!("auth:\n  htpasswd:\n    realm: test\n    path: {}/htpasswd\n", scratch.path().display());
    let registry = Registry::start(scratch.path(), &auth, "");
    let host = format!("127.0.0.1:{}", registry.port);
    push(&layout, "base", &format!("{host}/private:1"), &["--dest-creds", "alice:correct horse"]);

    let empty = scratch.path().join("empty.json");
    let with = |credentials, docker_config: &Path| SourceOptions {
        registry: RegistryOptions {
            credentials,
            docker_config: Some(docker_config.into()),
            ..RegistryOptions::default()
        },
        ..SourceOptions::default()
    };
    let password = |password: &str| Some(Credentials::Password { username: "alice".into(), password: password.into() });
    let target = format!("{host}/private:1");
    check(&target, &with(password("correct horse"), &empty));
    let error = error_of(&target, &with(None, &empty));
    assert!(
        error.contains(&format!(
            "refused a request without credentials for `private` | hint: log in with `docker login {host}`"
        )),
        "{error}"
    );
    let error = error_of(&target, &with(password("wrong horse"), &empty));
    assert!(error.contains("refused the credentials") && !error.contains("horse"), "{error}");

    let config = scratch.path().join("config.json");
    std::fs::write(&config, format!(r#"{{"auths":{{"{host}":{{"auth":"YWxpY2U6Y29ycmVjdCBob3JzZQ=="}}}}}}"#)).unwrap();
    check(&target, &with(None, &config));
    std::fs::write(&config, format!(r#"{{"credHelpers":{{"{host}":"dogwatch-test-that-is-not-there"}}}}"#)).unwrap();
    let error = error_of(&target, &with(None, &config));
    assert!(
        error.contains("the credential helper `docker-credential-dogwatch-test-that-is-not-there` failed"),
        "{error}"
    );
}

#[test]
fn a_registry_with_tls_is_trusted_only_with_its_authority() {
    if !have(&[TOOLS, &["openssl"]].concat()) {
        return;
    }
    let scratch = TempDir::new().unwrap();
    let layout = layout(&scratch);
    let path = |name: &str| scratch.path().join(name).display().to_string();
    let (ca, ca_key, csr, cert, key) = (path("ca.pem"), path("ca.key"), path("r.csr"), path("r.pem"), path("r.key"));
    run(
        "openssl",
        &[
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-keyout",
            &ca_key,
            "-out",
            &ca,
            "-days",
            "2",
            "-subj",
            "/CN=test authority",
        ],
    );
    run(
        "openssl",
        &[
            "req",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-keyout",
            &key,
            "-out",
            &csr,
            "-subj",
            "/CN=localhost",
        ],
    );
    std::fs::write(path("ext"), "subjectAltName=DNS:localhost,IP:127.0.0.1\n").unwrap();
    run(
        "openssl",
        &[
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
            &path("ext"),
        ],
    );
    let tls = format!("  tls:\n    certificate: {cert}\n    key: {key}\n");
    let registry = Registry::start(scratch.path(), "", &tls);
    let target = format!("localhost:{}/app:1", registry.port);
    push(&layout, "base", &target, &[]);

    let with = |ca_file: Option<&str>| SourceOptions {
        registry: RegistryOptions { ca_file: ca_file.map(Into::into), ..RegistryOptions::default() },
        ..SourceOptions::default()
    };
    check(&target, &with(Some(&ca)));
    // Although this machine may be spoken to in plain HTTP: a refused certificate is no reason to.
    let error = error_of(&target, &with(None));
    assert!(
        error.contains("UnknownIssuer")
            && error.contains("| hint: give the registry's certificate authority with `--ca-file FILE`"),
        "{error}"
    );
    let error = error_of(&target, &with(Some(&key)));
    assert!(
        error.contains("could not read the certificate authorities in") && error.contains("no certificate in PEM"),
        "{error}"
    );
}

#[test]
fn referrers_are_found_by_tag_where_the_registry_does_not_know_the_question() {
    if !have(TOOLS) {
        return;
    }
    let scratch = TempDir::new().unwrap();
    let (layout, options) = (layout(&scratch), SourceOptions::default());
    let registry = Registry::start(scratch.path(), "", "");
    let target = format!("127.0.0.1:{}/app:1", registry.port);
    push(&layout, "base", &target, &[]);
    let digest = check(&target, &options).artifact.manifest_digest.unwrap();
    let referrers = || source::referrers(&target.parse().unwrap(), &digest, &options).unwrap();
    assert_eq!(referrers(), []);

    let media_type = "application/vnd.oci.image.index.v1+json";
    let entry = serde_json::json!({"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest, "size": 1, "artifactType": "application/vnd.example.sbom"});
    let index = serde_json::json!({"schemaVersion": 2, "mediaType": media_type, "manifests": [entry]}).to_string();
    let mut connection = TcpStream::connect(("127.0.0.1", registry.port)).unwrap();
    write!(connection, "PUT /v2/app/manifests/sha256-{} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: {media_type}\r\nContent-Length: {}\r\n\r\n{index}", digest.hex(), index.len()).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    let found = referrers();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].artifact_type.as_deref(), Some("application/vnd.example.sbom"));
}
