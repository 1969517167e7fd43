//! Containers of containerd's own clients, whose cgroups have no name by which one would know them.
//!
//! Belongs here: distinguishing `/NAMESPACE/ID` of `ctr` and others from any other cgroup, by containerd's state.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;

use gdprport_core::cgroup_path::{CgroupPath, Inside, Maker, containerd_task};
use gdprport_core::model::{Container, Naming};

/// Where containerd keeps its running tasks, by namespace and id: Debian's, and that of k3s. Only root can write there.
pub(super) const TASKS: [&str; 2] =
    ["/run/containerd/io.containerd.runtime.v2.task", "/run/k3s/containerd/io.containerd.runtime.v2.task"];

/// The same place, or if its path names no container but is that of a task of containerd's, that container. It is looked for
/// when the path is learnt: the task is there before its cgroup, and may be gone with the process.
pub(super) fn or_task(
    place: CgroupPath,
    path: &str,
    tasks: &[&str],
    maker: impl FnOnce(&str) -> Maker,
) -> CgroupPath {
    if place.inside != Inside::Host {
        return place;
    }
    let Some((namespace, id, is_own)) = containerd_task(path) else { return place };
    let is_task = |root: &&str| {
        let task = std::fs::symlink_metadata(Path::new(root).join(namespace).join(id));
        task.is_ok_and(|task| task.is_dir() && task.uid() == 0)
    };
    if !tasks.iter().any(is_task) {
        return place;
    }
    let inside = match maker(namespace) {
        Maker::Root => Inside::Container(Container {
            id: Arc::from(id),
            runtime: Some(Arc::from("containerd")),
            pod: None,
            claimed_by: None,
            naming: Naming::Unknown,
        }),
        Maker::User(_) => return place,
        Maker::Unknown => Inside::Unproven,
    };
    CgroupPath { inside, is_own, ..place }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gdprport_tests::need;
    use gdprport_tests::skip::Missing;

    fn placed(path: &str, tasks: &str, maker: Maker) -> CgroupPath {
        or_task(CgroupPath::parse(path, |_| maker), path, &["/nowhere", tasks], |_| maker)
    }

    #[test]
    fn a_cgroup_is_a_container_where_containerd_has_its_task() {
        need!(rustix::process::geteuid().is_root().then_some(()).ok_or_else(|| Missing::of("root")));
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::create_dir_all(dir.path().join("shop/orders-ctr")).expect("a task");
        std::fs::write(dir.path().join("shop/file"), "").expect("a file");
        let tasks = dir.path().to_str().expect("UTF-8");

        let own = placed("/shop/orders-ctr", tasks, Maker::Root);
        let container = own.inside.of_root().expect("a container");
        assert_eq!((&*container.id, container.runtime.as_deref()), ("orders-ctr", Some("containerd")));
        assert!(own.is_own);
        let below = placed("/shop/orders-ctr/child", tasks, Maker::Root);
        assert_eq!((below.inside == own.inside, below.is_own), (true, false));

        assert_eq!(placed("/shop/orders-ctr", tasks, Maker::Unknown).inside, Inside::Unproven);
        for (path, maker) in [
            ("/shop/orders-ctr", Maker::User(1000)),
            ("/shop/other", Maker::Root),
            ("/shop/file", Maker::Root),
            ("/shop", Maker::Root),
            ("/../shop/orders-ctr", Maker::Root),
        ] {
            assert_eq!(placed(path, tasks, maker).inside, Inside::Host, "{path}");
        }
    }
}
