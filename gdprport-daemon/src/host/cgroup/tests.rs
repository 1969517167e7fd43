//! Mounts and paths as text, and real directories below this host's cgroup2 mount.

use super::*;
use std::os::unix::fs::PermissionsExt as _;

use gdprport_core::cgroup_path::Inside;
use gdprport_tests::need;
use gdprport_tests::skip::Missing;

const HYBRID: &str = "\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd
41 31 0:38 / /sys/fs/cgroup/uni\\040fied rw,relatime - cgroup2 cgroup2 rw
42 31 0:38 /part /elsewhere rw,relatime - cgroup2 cgroup2 rw
";

#[test]
fn the_cgroup2_mount_is_found_on_hybrid_and_unified_hosts() {
    let hybrid = Mounts::parse(HYBRID);
    let systemd =
        V1Mount { options: "rw,name=systemd".to_owned(), point: Some("/sys/fs/cgroup/systemd".into()) };
    assert_eq!(hybrid, Mounts { cgroup2: Some("/sys/fs/cgroup/uni fied".into()), v1: vec![systemd] });
    assert_eq!(hybrid.point("name=systemd"), Some(Path::new("/sys/fs/cgroup/systemd")));
    assert_eq!(hybrid.point("memory"), None);
    let unified = Mounts::parse(
        "9 8 0:4 /part /x rw - cgroup2 none rw\n7 1 0:5 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw\n",
    );
    assert_eq!(unified, Mounts { cgroup2: Some("/sys/fs/cgroup".into()), v1: vec![] });
    assert_eq!(Mounts::parse("nonsense\n - \n1 2 - cgroup2\n"), Mounts::default());
    assert_eq!(unescape_octal("a\\040b\\134c\\9\\"), "a b\\c\\9\\");
}

#[test]
fn the_most_specific_path_is_chosen() {
    let cases = [
        ("0::/system.slice/a.service\n", Some("/system.slice/a.service")),
        ("9:name=systemd:/system.slice/a.service\n4:memory:/x\n0::/\n", Some("/system.slice/a.service")),
        ("9:name=systemd:/\n4:memory:/docker/1\n0::/\n", Some("/docker/1")),
        ("1:cpu,cpuacct:/only\n", Some("/only")),
        ("9:name=systemd:/\n0::/\n", Some("/")),
        ("0::/a:b\n", Some("/a:b")),
        ("", None),
        ("nonsense", None),
    ];
    for (text, wanted) in cases {
        assert_eq!(choose_path(text).map(|(_, path)| path), wanted, "{text}");
    }
}

/// A cgroup of this test, removed with it.
struct Dir(PathBuf);

impl Dir {
    fn make(name: &str) -> Option<(Mounts, Self)> {
        let mounts = Mounts::read().expect("/proc is mounted");
        let path = mounts.cgroup2.clone()?.join(format!("{name}-{}.scope", std::process::id()));
        std::fs::create_dir(&path).ok()?;
        Some((mounts, Self(path)))
    }

    fn id(&self) -> u64 {
        std::fs::metadata(&self.0).expect("it exists").ino()
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir(&self.0);
    }
}

#[test]
fn an_id_leads_to_its_path_by_handle_and_by_walk() {
    let (mounts, dir) =
        need!(Dir::make("gdprport-test-id").ok_or_else(|| Missing::of("a cgroup2 hierarchy, or root")));
    let name = dir.0.file_name().and_then(|n| n.to_str()).expect("utf-8").to_owned();
    let mut cgroups = Cgroups::new(&mounts);
    assert_eq!(cgroups.by_handle(dir.id()), Some(format!("/{name}")));
    cgroups.walk(1);
    let CgroupLookup::Known(found) = cgroups.place(dir.id(), 1) else { panic!("not found by walking") };
    assert_eq!(found.unit.as_deref(), Some(name.as_str()));
}

/// Only root may write to any of the directories above it.
#[test]
fn a_container_below_a_users_directory_is_that_users() {
    let (mounts, dir) =
        need!(Dir::make("gdprport-test-maker").ok_or_else(|| Missing::of("a cgroup2 hierarchy, or root")));
    let container = Dir(dir.0.join(format!("docker-{}.scope", "ab".repeat(32))));
    std::fs::create_dir(&container.0).expect("a cgroup of our own");
    let below = container.0.strip_prefix(mounts.cgroup2.as_ref().expect("it is mounted")).expect("below it");
    let path = format!("/{}", below.to_str().expect("utf-8"));
    let learnt = |id| {
        let mut cgroups = Cgroups::new(&mounts);
        cgroups.learn(id, path.as_bytes());
        let CgroupLookup::Known(found) = cgroups.place(id, 1) else { panic!("the record was not learnt") };
        found.inside.clone()
    };
    let text = format!("0::{path}\n");
    let placed = || mounts.place(&text).expect("a path").inside;
    let claimed_by = |inside: Inside| match inside {
        Inside::Container(container) => container.claimed_by,
        inside => panic!("{inside:?} is no container"),
    };
    assert_eq!((claimed_by(learnt(container.id())), claimed_by(placed())), (None, None));
    // Another one was there under that name, and is gone.
    assert_eq!(learnt(container.id() - 1), Inside::Unproven);
    // The runtime may give its container what is below.
    std::os::unix::fs::chown(&container.0, Some(1000), Some(1000)).expect("root may change owners");
    assert_eq!(claimed_by(placed()), None);
    std::os::unix::fs::chown(&dir.0, Some(1000), None).expect("root may change owners");
    assert_eq!((claimed_by(learnt(container.id())), claimed_by(placed())), (Some(1000), Some(1000)));
    std::fs::set_permissions(&dir.0, std::fs::Permissions::from_mode(0o777)).expect("root may change modes");
    assert_eq!(claimed_by(placed()), Some(u32::MAX));
    assert_eq!(mounts.place(&format!("0::/..{path}\n")).expect("a path").inside, Inside::Unproven);
}

#[test]
fn a_removed_cgroup_is_known_by_its_record_only() {
    let (mounts, dir) =
        need!(Dir::make("gdprport-test-gone").ok_or_else(|| Missing::of("a cgroup2 hierarchy, or root")));
    let id = dir.id();
    drop(dir);
    let mut cgroups = Cgroups::new(&mounts);
    assert_eq!(cgroups.place(id, 1), CgroupLookup::Unknown);
    cgroups.learn(id, &[b'/'; PATH_CAP]);
    assert_eq!(cgroups.place(id, 2), CgroupLookup::Unknown, "a cut path is ignored");
    cgroups.learn(id, b"/system.slice/gone.service");
    let CgroupLookup::Known(found) = cgroups.place(id, 3) else { panic!("the record was not learnt") };
    assert_eq!(found.unit.as_deref(), Some("gone.service"));
}

#[test]
fn the_root_proves_nothing_where_v1_hierarchies_exist() {
    let dir = tempfile::tempdir().expect("a directory");
    let id = std::fs::metadata(dir.path()).expect("it exists").ino();
    let mounts = |v1| Mounts { cgroup2: Some(dir.path().to_owned()), v1 };
    let v1 = V1Mount { options: "rw,memory".to_owned(), point: None };
    assert_eq!(Cgroups::new(&mounts(vec![v1])).place(id, 0), CgroupLookup::OnlyInV1);
    assert!(
        matches!(Cgroups::new(&mounts(vec![])).place(id, 0), CgroupLookup::Known(p) if p.cgroup.as_deref() == Some("/"))
    );
    assert_eq!(Cgroups::new(&Mounts::default()).place(0, 0), CgroupLookup::Unknown);
}
