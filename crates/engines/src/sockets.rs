//! Where engines listen.
//!
//! Source: the manuals of docker (`DOCKER_HOST`), podman (`CONTAINER_HOST`), ctr and nerdctl (`CONTAINERD_ADDRESS`), and
//! what their packages install.

use std::path::PathBuf;

use crate::EngineKind;
use crate::error::EngineError;

/// The socket of an engine: the one its variable names, else the first usual one that is there.
///
/// # Errors
/// When the variable names something else than a unix socket, and when none of the usual ones is there.
pub(crate) fn socket(kind: EngineKind, env: impl Fn(&str) -> Option<String>) -> Result<PathBuf, EngineError> {
    let env = |name: &str| env(name).filter(|value| !value.is_empty());
    let variable = match kind {
        EngineKind::Docker => "DOCKER_HOST",
        EngineKind::Podman => "CONTAINER_HOST",
        EngineKind::Containerd => "CONTAINERD_ADDRESS",
    };
    if let Some(value) = env(variable) {
        // containerd's own tools take a path as well.
        let path = value.strip_prefix("unix://").or(Some(value.as_str()).filter(|_| kind == EngineKind::Containerd));
        return match path {
            Some(path) if path.starts_with('/') => Ok(PathBuf::from(path)),
            _ => Err(EngineError::Address { engine: kind, variable, value }),
        };
    }
    let runtime = |socket: &str| env("XDG_RUNTIME_DIR").map(|dir| PathBuf::from(dir).join(socket));
    let home = |socket: &str| env("HOME").map(|dir| PathBuf::from(dir).join(socket));
    let usual: Vec<PathBuf> = match kind {
        EngineKind::Docker => {
            let system = Some(PathBuf::from("/var/run/docker.sock"));
            [system, runtime("docker.sock"), home(".docker/run/docker.sock")].into_iter().flatten().collect()
        }
        // A user's own Podman first: that of the system is root's.
        EngineKind::Podman => {
            let system = Some(PathBuf::from("/run/podman/podman.sock"));
            [runtime("podman/podman.sock"), system].into_iter().flatten().collect()
        }
        EngineKind::Containerd => {
            ["/run/containerd/containerd.sock", "/run/k3s/containerd/containerd.sock"].map(PathBuf::from).to_vec()
        }
    };
    match usual.iter().find(|path| path.exists()) {
        Some(path) => Ok(path.clone()),
        None => Err(EngineError::NoSocket { engine: kind, looked_at: usual }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(kind: EngineKind, variables: &[(&str, &str)], expected: &str) {
        let env = |name: &str| variables.iter().find(|(other, _)| *other == name).map(|(_, value)| (*value).to_owned());
        let rendered = match socket(kind, env) {
            Ok(path) => path.display().to_string(),
            Err(error) => format!("error: {error}"),
        };
        assert!(rendered.starts_with(expected), "{variables:?}\n got: {rendered}\nwant: {expected}");
    }

    #[test]
    fn a_variable_decides_and_must_name_a_unix_socket() {
        let dir = tempfile::tempdir().unwrap();
        let runtime = dir.path().display().to_string();
        let socket = dir.path().join("docker.sock");
        check(EngineKind::Docker, &[("DOCKER_HOST", "unix:///x/d.sock")], "/x/d.sock");
        check(EngineKind::Podman, &[("CONTAINER_HOST", "unix:///x/p.sock")], "/x/p.sock");
        check(EngineKind::Containerd, &[("CONTAINERD_ADDRESS", "/x/c.sock")], "/x/c.sock");
        check(EngineKind::Docker, &[("DOCKER_HOST", "tcp://[::1]:2375")], "error: `DOCKER_HOST` is `tcp://[::1]:2375`");
        check(EngineKind::Docker, &[("DOCKER_HOST", "unix://x.sock")], "error: `DOCKER_HOST` is");
        check(EngineKind::Podman, &[("XDG_RUNTIME_DIR", &runtime)], "error: no socket of podman is here");
        std::fs::create_dir(dir.path().join("podman")).unwrap();
        std::fs::write(dir.path().join("podman/podman.sock"), "").unwrap();
        check(EngineKind::Podman, &[("XDG_RUNTIME_DIR", &runtime)], &format!("{runtime}/podman/podman.sock"));
        std::fs::write(&socket, "").unwrap();
        if !std::path::Path::new("/var/run/docker.sock").exists() {
            check(
                EngineKind::Docker,
                &[("DOCKER_HOST", ""), ("XDG_RUNTIME_DIR", &runtime)],
                &socket.display().to_string(),
            );
        }
    }
}
