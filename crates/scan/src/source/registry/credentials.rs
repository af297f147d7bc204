//! Who asks: Docker's configuration file and its credential helpers.
//!
//! Source: Docker's reference of `docker login` ("Credential stores", "Credential helpers") and the helper protocol of
//! `docker-credential-helpers`: the registry on stdin of `docker-credential-NAME get`, JSON on stdout.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

/// The longest configuration that is read. Real ones have a few KiB.
const CONFIG_BYTES_MAX: u64 = 1 << 20;

/// The longest answer of a helper. Tokens of cloud providers have a few KiB.
const HELPER_BYTES_MAX: u64 = 256 << 10;

/// How long a helper may take: it may ask a cloud provider, but must not wait for a person.
const HELPER_TIME_MAX: Duration = Duration::from_secs(30);

/// The name of Docker Hub in configuration files.
const DOCKER_HUB: &str = "https://index.docker.io/v1/";

/// The user name by which a helper says that the secret is an identity token.
const IDENTITY_TOKEN_USER: &str = "<token>";

/// What proves who asks. Shown as `…` wherever values are printed.
#[derive(Clone, PartialEq, Eq)]
pub enum Credentials {
    /// A name and a password (or a token that stands for one).
    Password {
        /// The name.
        username: String,
        /// The password.
        password: String,
    },
    /// A refresh token of OAuth 2, exchanged for an access token at the registry's token server.
    IdentityToken(String),
    /// A token that is sent to the registry as it is.
    RegistryToken(String),
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(…)")
    }
}

/// Why looking for credentials failed. Having none is no failure.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// The configuration cannot be read.
    #[error("could not read `{path}`")]
    Config {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A helper did not do its work.
    #[error("the credential helper `{helper}` failed: {detail}")]
    Helper {
        /// The program.
        helper: String,
        /// What happened; nothing that it printed.
        detail: String,
    },
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct DockerConfig {
    auths: BTreeMap<String, Auth>,
    creds_store: Option<String>,
    cred_helpers: BTreeMap<String, String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Auth {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
    registrytoken: Option<String>,
}

/// Looks for credentials of `registry`: the helper for this registry, else the store for all, else the file itself.
pub(super) fn find(registry: &str, config: Option<&Path>) -> Result<Option<Credentials>, CredentialError> {
    let Some(path) = config.map(Path::to_owned).or_else(default_path) else { return Ok(None) };
    let Some(config) = read(&path)? else { return Ok(None) };
    let key = if registry == "docker.io" { DOCKER_HUB } else { registry };
    let helper = config.cred_helpers.get(registry).or(config.cred_helpers.get(key)).or(config.creds_store.as_ref());
    if let Some(helper) = helper.filter(|helper| !helper.is_empty())
        && let Some(found) = ask_helper(helper, key)?
    {
        return Ok(Some(found));
    }
    let entry = config.auths.iter().find(|(name, _)| *name == key || host_of(name) == host_of(key));
    Ok(entry.and_then(|(_, auth)| auth.credentials()))
}

fn default_path() -> Option<PathBuf> {
    let dir = match std::env::var_os("DOCKER_CONFIG").filter(|dir| !dir.is_empty()) {
        Some(dir) => PathBuf::from(dir),
        None => PathBuf::from(std::env::var_os("HOME")?).join(".docker"),
    };
    Some(dir.join("config.json"))
}

fn read(path: &Path) -> Result<Option<DockerConfig>, CredentialError> {
    let failed = |source| CredentialError::Config { path: path.into(), source };
    let file = match std::fs::File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other.map_err(failed)?,
    };
    let mut bytes = Vec::new();
    file.take(CONFIG_BYTES_MAX).read_to_end(&mut bytes).map_err(failed)?;
    // The reader's own message could quote a secret; where it stands is enough.
    let place = |error: serde_json::Error| {
        io::Error::new(
            io::ErrorKind::InvalidData,
            format!("not valid at line {}, column {}", error.line(), error.column()),
        )
    };
    serde_json::from_slice(&bytes).map(Some).map_err(place).map_err(failed)
}

/// Entries may be written as an address: `https://registry.example/v2/`.
fn host_of(name: &str) -> &str {
    let name = name.strip_prefix("https://").or_else(|| name.strip_prefix("http://")).unwrap_or(name);
    name.split('/').next().unwrap_or(name)
}

impl Auth {
    fn credentials(&self) -> Option<Credentials> {
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        if let Some(token) = given(&self.registrytoken) {
            return Some(Credentials::RegistryToken(token));
        }
        if let Some(token) = given(&self.identitytoken) {
            return Some(Credentials::IdentityToken(token));
        }
        if let Some(auth) = given(&self.auth) {
            let decoded = String::from_utf8(STANDARD.decode(auth).ok()?).ok()?;
            let (username, password) = decoded.split_once(':')?;
            // Docker for Windows pads with NUL.
            let password = password.trim_end_matches('\0').to_owned();
            return Some(Credentials::Password { username: username.into(), password });
        }
        Some(Credentials::Password { username: given(&self.username)?, password: given(&self.password)? })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HelperAnswer {
    username: String,
    secret: String,
}

/// Asks `docker-credential-NAME`; none when it has nothing for this registry.
fn ask_helper(name: &str, registry: &str) -> Result<Option<Credentials>, CredentialError> {
    let helper = format!("docker-credential-{name}");
    let result = match name.contains('/') {
        true => Err("its name is a path".to_owned()),
        false => ask(Command::new(&helper).arg("get"), registry, HELPER_TIME_MAX),
    };
    result.map_err(|detail| CredentialError::Helper { helper, detail })
}

fn ask(command: &mut Command, registry: &str, time_max: Duration) -> Result<Option<Credentials>, String> {
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().map_err(|error| error.to_string())?;
    let deadline = Instant::now() + time_max;
    let output = talk(&mut child, registry, time_max);
    let status = end(&mut child, deadline).map_err(|error| error.to_string())?;
    let (Some(output), Some(status)) = (output, status) else {
        return Err(format!("no answer within {} seconds", time_max.as_secs()));
    };
    if !status.success() {
        // The protocol's way to say "none" is this sentence on stdout.
        return match String::from_utf8_lossy(&output).contains("credentials not found") {
            true => Ok(None),
            false => Err(status.to_string()),
        };
    }
    let answer: HelperAnswer = serde_json::from_slice(&output).map_err(|_| "its answer is not valid")?;
    Ok(Some(match answer.username.as_str() {
        IDENTITY_TOKEN_USER => Credentials::IdentityToken(answer.secret),
        "" if answer.secret.is_empty() => return Ok(None),
        _ => Credentials::Password { username: answer.username, password: answer.secret },
    }))
}

/// Writes the question and reads the answer; none when it takes too long.
fn talk(child: &mut Child, registry: &str, time_max: Duration) -> Option<Vec<u8>> {
    if let Some(mut stdin) = child.stdin.take() {
        // A helper that does not read has ended, and its status says why.
        let _ = stdin.write_all(registry.as_bytes());
    }
    let stdout = child.stdout.take()?;
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut output = Vec::new();
        let result = stdout.take(HELPER_BYTES_MAX).read_to_end(&mut output);
        // The receiver is gone after the time-out; then nobody wants the answer.
        let _ = sender.send(result.map(|_| output).unwrap_or_default());
    });
    receiver.recv_timeout(time_max).ok()
}

/// Waits for the end of a helper, and stops it at the deadline: then there is no status.
fn end(child: &mut Child, deadline: Instant) -> io::Result<Option<ExitStatus>> {
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        thread::sleep(Duration::from_millis(1));
    }
    child.kill()?;
    child.wait().map(|_| None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(config: &str, registry: &str, expected: Option<&str>) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), config).unwrap();
        let rendered = find(registry, Some(file.path())).unwrap().map(|found| match found {
            Credentials::Password { username, password } => format!("{username}:{password}"),
            Credentials::IdentityToken(token) => format!("identity {token}"),
            Credentials::RegistryToken(token) => format!("registry {token}"),
        });
        assert_eq!(rendered.as_deref(), expected, "{config}");
    }

    #[test]
    fn entries_are_found_however_the_registry_is_written() {
        let alice = STANDARD.encode("alice:se:cret\0");
        check(
            &format!(r#"{{"auths":{{"r.example:5000":{{"auth":"{alice}"}}}}}}"#),
            "r.example:5000",
            Some("alice:se:cret"),
        );
        check(
            &format!(r#"{{"auths":{{"https://r.example/v1/":{{"auth":"{alice}"}}}}}}"#),
            "r.example",
            Some("alice:se:cret"),
        );
        check(
            &format!(r#"{{"auths":{{"https://index.docker.io/v1/":{{"auth":"{alice}"}}}}}}"#),
            "docker.io",
            Some("alice:se:cret"),
        );
        check(&format!(r#"{{"auths":{{"r.example":{{"auth":"{alice}"}}}}}}"#), "evil.example", None);
        check(r#"{"auths":{"r.example":{"auth":"","identitytoken":"t"}}}"#, "r.example", Some("identity t"));
        check(r#"{"auths":{"r.example":{}},"HttpHeaders":{"x":"y"}}"#, "r.example", None);
    }

    #[test]
    fn a_broken_file_is_named_without_its_secrets() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), r#"{"auths":{"r":{"auth":["hunter2"]}}}"#).unwrap();
        let error = find("r", Some(file.path())).unwrap_err();
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        assert_eq!(format!("{:?}", Credentials::IdentityToken("hunter2".into())), "Credentials(…)");
    }

    #[test]
    fn helpers_answer_have_nothing_fail_or_hang() {
        let ask = |script: &str| ask(Command::new("sh").args(["-c", script]), "r.example", Duration::from_millis(400));
        let answer =
            r#"read -r r || :; test "$r" = r.example && echo '{"ServerURL":"x","Username":"USER","Secret":"s"}'"#;
        let password = Credentials::Password { username: "bob".into(), password: "s".into() };
        assert_eq!(ask(&answer.replace("USER", "bob")), Ok(Some(password)));
        assert_eq!(ask(&answer.replace("USER", "<token>")), Ok(Some(Credentials::IdentityToken("s".into()))));
        assert_eq!(ask("echo credentials not found in native keychain; exit 1"), Ok(None));
        assert_eq!(ask("echo hunter2; exit 3"), Err("exit status: 3".into()));
        assert_eq!(ask("echo hunter2"), Err("its answer is not valid".into()));
        for hangs in ["exec sleep 60", "echo '{}'; exec sleep 60 >/dev/null", "exec yes"] {
            let started = Instant::now();
            assert!(ask(hangs).is_err(), "{hangs}");
            assert!(started.elapsed() < Duration::from_secs(5), "{hangs}");
        }
        assert!(ask_helper("../../bin/sh", "r").is_err());
    }
}
