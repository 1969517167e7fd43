//! Containers as events name them.

use std::sync::Arc;

use crate::container::{Labels, ShownLabels, Stated};
use crate::model::{Container, Naming, Process, StatedBy, Workload};

/// A process, in a container, where it acts for root.
pub(super) fn contained(process: Process, container: Container) -> Process {
    Process { unit: None, container: Some(container), euid: Some(0), egid: Some(0), ..process }
}

/// A pod of a Deployment, in Kubernetes.
#[must_use]
pub fn pod() -> Container {
    let stated = Stated {
        name: Some("app".into()),
        image: Some("registry.example/shop/orders:1.4".into()),
        image_digest: Some(digest("a1b2").into()),
        image_id: Some(digest("c3d4").into()),
        labels: Labels::collect([
            ("app", "orders"),
            ("app.kubernetes.io/part-of", "shop"),
            ("pod-template-hash", "7d9f8b6c5"),
        ]),
        namespace: Some("shop".into()),
        pod_name: Some("orders-7d9f8b6c5-x2x1q".into()),
        workload: Some(Workload { kind: "Deployment".into(), name: "orders".into() }),
        ..Stated::default()
    };
    Container {
        pod: Some("0d3f6f3e-8a8e-4a9e-9d2a-5a4a0b6c7d8e".into()),
        ..container("4f1c", "containerd", known(stated, 0, "root", false))
    }
}

/// A service of Docker Compose whose container mounts the runtime's socket.
#[must_use]
pub fn compose() -> Container {
    container("4f1d", "docker", known(service("shop-db-1"), 0, "root", true))
}

/// The same by a user's own Podman.
#[must_use]
pub fn rootless() -> Container {
    let naming = known(service("shop_db_1"), 1000, "alice", false);
    Container { claimed_by: Some(1000), ..container("4f1e", "podman", naming) }
}

/// One whose names are being looked up.
#[must_use]
pub fn pending() -> Container {
    container("4f1f", "docker", Naming::Pending)
}

/// One that no runtime's state names.
#[must_use]
pub fn unknown() -> Container {
    container("4f20", "containerd", Naming::Unknown)
}

fn service(name: &str) -> Stated {
    Stated {
        name: Some(name.into()),
        image: Some("postgres:16".into()),
        image_id: Some(digest("e5f6").into()),
        labels: Labels::collect([
            ("com.docker.compose.project", "shop"),
            ("com.docker.compose.service", "db"),
            ("com.docker.compose.config-hash", "9c1e"),
        ]),
        ..Stated::default()
    }
}

fn container(id: &str, runtime: &str, naming: Naming) -> Container {
    Container { id: id.repeat(16).into(), runtime: Some(runtime.into()), pod: None, claimed_by: None, naming }
}

fn known(stated: Stated, uid: u32, user: &str, writes_state: bool) -> Naming {
    let names = stated.names(StatedBy { uid, user: Some(user.into()) }, writes_state);
    let mut names = ShownLabels::default().of(names);
    // As one who reads events has them.
    names.labels_unshown.clear();
    Naming::Known(Arc::new(names))
}

fn digest(hex: &str) -> String {
    format!("sha256:{}", hex.repeat(16))
}
