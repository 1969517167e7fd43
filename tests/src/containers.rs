//! The state of a container runtime, made up.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::json;

use crate::temp::{TempDir, set_mode};

/// A data root of Docker's that no Docker has made.
#[derive(Debug)]
pub struct DockerState {
    dir: TempDir,
}

impl DockerState {
    /// One without containers, which nobody but root can write.
    #[must_use]
    pub fn new() -> Self {
        Self { dir: TempDir::new() }
    }

    /// The part of `gdprport.toml` that has the daemon look there.
    #[must_use]
    pub fn config(&self) -> String {
        format!("[containers]\nstate = [\"{}\"]\n", self.dir.path().display())
    }

    /// The data root.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Where the state of a container is; nothing is made.
    #[must_use]
    pub fn file(&self, id: &str) -> PathBuf {
        self.dir.join(format!("containers/{id}/config.v2.json"))
    }

    /// Makes the directory of a container without its state.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn directory(&self, id: &str) -> PathBuf {
        let path = self.file(id);
        let dir = path.parent().expect("it has one");
        std::fs::create_dir_all(dir).expect("directories");
        for mine in dir.ancestors().take(2) {
            set_mode(mine, 0o710);
        }
        path
    }

    /// Writes what Docker keeps of a container of this name and image.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn add(&self, id: &str, name: &str, image: &str) {
        self.write(id, docker_config(id, name, image, &[]).as_bytes());
    }

    /// Writes anything as the state of a container.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn write(&self, id: &str, bytes: &[u8]) {
        let path = self.directory(id);
        std::fs::write(&path, bytes).expect("a file");
        set_mode(&path, 0o600);
    }
}

impl Default for DockerState {
    fn default() -> Self {
        Self::new()
    }
}

/// The text of `config.v2.json`, with the keys that Docker writes which say something of its names; `mounts` are sources of
/// writable bind mounts.
#[must_use]
pub fn docker_config(id: &str, name: &str, image: &str, mounts: &[&str]) -> String {
    let mounts: serde_json::Map<_, _> = mounts
        .iter()
        .map(|source| {
            let mount = json!({
                "Source": source, "Destination": "/mnt", "RW": true, "Name": "", "Driver": "", "Type": "bind",
                "Propagation": "rprivate", "Spec": {"Type": "bind", "Source": source, "Target": "/mnt"}
            });
            (format!("/mnt{source}"), mount)
        })
        .collect();
    json!({
        "StreamConfig": {},
        "State": {"Running": true, "Pid": 4242},
        "ID": id,
        "Created": "2026-01-02T03:04:05.678901234Z",
        "Managed": false,
        "Path": "/usr/bin/app",
        "Args": [],
        "Config": {
            "Hostname": &id[..12],
            "Env": ["PASSWORD=never shown"],
            "Image": image,
            "Labels": {"com.docker.compose.project": "shop", "com.docker.compose.service": name, "app": name}
        },
        "Image": format!("sha256:{}", "ab".repeat(32)),
        "Name": format!("/{name}"),
        "Driver": "overlay2",
        "OS": "linux",
        "MountPoints": mounts
    })
    .to_string()
}

/// An id that no other container of this host has.
#[must_use]
pub fn unique_id() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{:016x}{:016x}", std::process::id(), number).repeat(2)
}
