//! The resolver against a `/proc` of one process, created in a directory.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown, symlink};

use gdprport_common::{FileState, MountOwner, SocketRole};
use gdprport_core::executed::{Executable, FileReading};
use gdprport_core::identity::OwnerRef;
use gdprport_core::model::{UserlandProxy, Withheld};
use gdprport_tests::need;
use gdprport_tests::skip::Missing;

use super::super::*;
use super::helpers::{Maps, executable, owner, program, real};
use crate::host::cgroup::{Mounts, V1Mount};
use crate::host::clock::BootClock;

/// A `/proc` with one process, in a directory.
struct Fixture {
    dir: tempfile::TempDir,
}

impl Fixture {
    fn new(tgid: u32, start_ticks: u64, cgroup: &str) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let process = dir.path().join("proc").join(tgid.to_string());
        let root = dir.path().join("root");
        fs::create_dir_all(&process).expect("directory");
        fs::create_dir_all(&root).expect("directory");
        executable(&root.join("server"), "\x7fELF");
        symlink(&root, process.join("root")).expect("link");
        symlink(root.join("server").canonicalize().expect("exists"), process.join("exe")).expect("link");
        fs::create_dir(process.join("ns")).expect("directory");
        symlink("/proc/self/ns/user", process.join("ns/user")).expect("link");
        let rest = "0 ".repeat(17);
        fs::write(process.join("stat"), format!("{tgid} (server) S 1 {rest}{start_ticks} 0 0\n"))
            .expect("stat");
        fs::write(process.join("comm"), "server\n").expect("comm");
        fs::write(process.join("cgroup"), cgroup).expect("cgroup");
        Self { dir }
    }

    fn resolver(&self) -> Resolver {
        let v1 = V1Mount { options: "rw,memory".to_owned(), point: Some(self.dir.path().to_owned()) };
        let cgroups = Mounts { cgroup2: Some(self.dir.path().to_owned()), v1: vec![v1] };
        let roots =
            Roots { proc: self.dir.path().join("proc"), host_root: self.dir.path().join("root"), cgroups };
        Resolver::new(&roots, BootClock::booted_at("2026-01-01T00:00:00Z".parse().expect("time")))
            .expect("opens")
    }

    /// Puts the process into a user namespace of its own.
    fn in_user_ns(&self) {
        let place = self.dir.path().join("proc/700/ns/user");
        fs::remove_file(&place).expect("it is there");
        symlink("/proc/self/ns/net", place).expect("link");
    }

    /// Creates the directory of a cgroup, in every hierarchy, and makes `owner` the owner of its parent. Only root can.
    fn cgroup(&self, path: &str, owner: u32) -> Result<(), Missing> {
        let dir = self.dir.path().join(path);
        fs::create_dir_all(&dir).expect("directories");
        chown(dir.parent().expect("a directory"), Some(owner), None).map_err(|_| Missing::of("root"))
    }

    fn root_cgroup(&self) -> u64 {
        fs::metadata(self.dir.path()).expect("exists").ino()
    }
}

#[test]
fn a_process_in_v1_hierarchies_only_is_placed_by_proc() {
    let id = "3fa94ac1bd2d4c1f8ee46e0ad3a5b1f0c0ffee00deadbeef0123456789abcdef";
    let fixture = Fixture::new(700, 5_000, &format!("4:memory:/docker/{id}\n0::/\n"));
    need!(fixture.cgroup(&format!("docker/{id}"), 0));
    let mut maps = Maps::default();
    maps.task(700, 5, 50_000_000_000);
    let mut resolver = fixture.resolver();
    resolver.learn_exec(&Executable::named(5, 700, 0, b"/server"));
    let caller = OwnerRef { cgroup_id: fixture.root_cgroup(), ..owner(700, 5, 50_000_000_000) };
    let process = resolver.resolve(&caller, &maps);
    assert_eq!(process.container.as_ref().map(|container| &*container.id), Some(id));
    assert!(process.exe.as_deref().is_some_and(|exe| exe.ends_with("/root/server")));
    assert_eq!(process.started.map(|t| t.to_string()).as_deref(), Some("2026-01-01T00:00:50Z"));

    let reused = OwnerRef { start_ns: 40_000_000_000, ..caller };
    let process = resolver.resolve(&reused, &maps);
    assert_eq!(process.container, None, "that is another process's cgroup");
    assert_eq!(process.cgroup, None);
}

/// A runtime that uses v1 leaves its containers in its own unit in cgroup2. Those that are gone may have been in one.
#[test]
fn a_container_of_v1_is_not_its_runtimes_unit() {
    let id = "3fa94ac1bd2d4c1f8ee46e0ad3a5b1f0c0ffee00deadbeef0123456789abcdef";
    let unit = "/system.slice/containerd.service";
    let fixture = Fixture::new(700, 5_000, &format!("4:memory:/docker/{id}\n0::{unit}\n"));
    need!(fixture.cgroup(unit.trim_start_matches('/'), 0));
    let unit_id = fs::metadata(fixture.dir.path().join(&unit[1..])).expect("exists").ino();
    let mut maps = Maps::default();
    maps.task(700, 5, 50_000_000_000);
    let live = OwnerRef { cgroup_id: unit_id, ..owner(700, 5, 50_000_000_000) };
    let gone = OwnerRef { cgroup_id: unit_id, ..owner(900, 5, 50_000_000_000) };
    let runtime = OwnerRef { time_ns: live.time_ns, ..live };

    // No container is in v1 hierarchies: what cgroup2 shows counts, also of those that are gone.
    let process = fixture.resolver().resolve(&gone, &maps);
    assert_eq!(process.unit.as_deref(), Some("containerd.service"));

    need!(fixture.cgroup(&format!("docker/{id}"), 0));
    let process = fixture.resolver().resolve(&live, &maps);
    assert_eq!(process.container.as_ref().map(|container| &*container.id), Some(id));
    assert_eq!((process.unit.as_deref(), process.slice.as_deref()), (None, None));
    let process = fixture.resolver().resolve(&gone, &maps);
    assert_eq!((process.unit.as_deref(), process.cgroup.as_deref()), (None, None), "not known");

    // The runtime itself is in no container, and users that name a cgroup like one are not either.
    fs::write(fixture.dir.path().join("proc/700/cgroup"), format!("4:memory:/other\n0::{unit}\n"))
        .expect("cgroup");
    assert_eq!(fixture.resolver().resolve(&runtime, &maps).unit.as_deref(), Some("containerd.service"));
    need!(fixture.cgroup(&format!("docker/{id}"), 1000));
    fs::write(fixture.dir.path().join("proc/700/cgroup"), format!("4:memory:/docker/{id}\n0::{unit}\n"))
        .expect("cgroup");
    assert_eq!(fixture.resolver().resolve(&runtime, &maps).unit.as_deref(), Some("containerd.service"));
}

/// It may be gone before anybody looks.
#[test]
fn a_record_tells_of_containers_in_v1() {
    let fixture = Fixture::new(700, 5_000, "0::/\n");
    let gone = OwnerRef { cgroup_id: 77, ..owner(900, 5, 1_000) };
    let id = "3fa94ac1bd2d4c1f8ee46e0ad3a5b1f0c0ffee00deadbeef0123456789abcdef";
    let container = format!("/docker/{id}");
    for (created, known) in
        [(Some(&b"/system.slice/cron.service"[..]), true), (Some(container.as_bytes()), false), (None, false)]
    {
        let mut resolver = fixture.resolver();
        resolver.learn_cgroup(77, b"/system.slice/plain.service");
        resolver.learn_v1_cgroup(4, 77, created);
        let process = resolver.resolve(&gone, &Maps::default());
        assert_eq!(process.unit.is_some(), known, "{created:?}");
    }
}

#[test]
fn a_caller_without_a_fork_time_is_proven_by_its_start() {
    let fixture = Fixture::new(700, 5_000, "0::/\n");
    let mut maps = Maps::default();
    maps.task(700, 0, 0);
    let mut resolver = fixture.resolver();
    let caller =
        OwnerRef { comm: *b"server\0\0\0\0\0\0\0\0\0\0", time_ns: 50_020_000_000, ..owner(700, 0, 0) };
    let process = resolver.resolve(&caller, &maps);
    assert!(process.exe.is_some(), "no exec since, by the task map");
    assert!(process.started.is_some());
    let same_tick = OwnerRef { time_ns: 50_005_000_000, ..caller };
    let process = resolver.resolve(&same_tick, &maps);
    assert_eq!((process.exe.clone(), process.started), (None, None));
    let inherited = OwnerRef { role: SocketRole::Bound, ..caller };
    assert_eq!(resolver.resolve(&inherited, &maps).started, None);
    assert_eq!(resolver.resolve(&caller, &Maps::default()).exe, None, "the task map does not know it");
}

/// It counts only if the host has the same file, or root made the container.
#[test]
fn a_path_in_a_foreign_user_namespace_needs_proof() {
    let id = "3fa94ac1bd2d4c1f8ee46e0ad3a5b1f0c0ffee00deadbeef0123456789abcdef";
    let exe_in = |cgroup: &str, owner_above: u32, host_has_it: bool| {
        let fixture = Fixture::new(700, 5_000, &format!("0::/{cgroup}\n"));
        fixture.cgroup(cgroup, owner_above)?;
        fixture.in_user_ns();
        let program = fixture.dir.path().join("root/server").canonicalize().expect("exists");
        if host_has_it {
            let there = fixture.dir.path().join("root").join(program.strip_prefix("/").expect("absolute"));
            fs::create_dir_all(there.parent().expect("a directory")).expect("directory");
            fs::hard_link(&program, there).expect("link");
        }
        let mut maps = Maps::default();
        maps.task(700, 5, 50_000_000_000);
        let mut resolver = fixture.resolver();
        resolver.learn_exec(&Executable { in_user_ns: true, ..Executable::named(5, 700, 0, b"/server") });
        Ok(resolver.resolve(&owner(700, 5, 50_000_000_000), &maps).exe.is_some())
    };
    let unproven = !need!(exe_in("user.slice/session-1.scope", 0, false));
    assert!(unproven);
    let proven =
        |cgroup: &str, owner_above, host_has_it| exe_in(cgroup, owner_above, host_has_it) == Ok(true);
    assert!(proven("user.slice/session-1.scope", 0, true), "the host has this very file under this path");
    assert!(proven(&format!("docker/{id}"), 0, false), "a container of root's");
    let own = format!("system.slice/alice.service/docker-{id}.scope");
    assert!(!proven(&own, 5, false), "the owner of a directory names its entries freely");
}

/// A complete path that the kernel side read.
const fn read_at(components: &[u8], mounts: MountOwner) -> FileReading<'_> {
    FileReading { device: 0, inode: 0, mounts, state: FileState::Complete, components }
}

/// What the name leads to may have been a script or a link.
#[test]
fn a_name_alone_proves_no_executable() {
    let fixture = Fixture::new(700, 5_000, "0::/\n");
    let mut resolver = fixture.resolver();
    let id = "3fa94ac1bd2d4c1f8ee46e0ad3a5b1f0c0ffee00deadbeef0123456789abcdef";
    resolver.learn_cgroup(77, format!("/system.slice/docker-{id}.scope").as_bytes());
    resolver.learn_cgroup(78, b"/system.slice/plain.service");
    resolver.learn_exec(&Executable::named(5, 900, 0, b"/server"));
    resolver.learn_exec(&Executable::named(6, 900, 0, b"/server"));
    let inside = OwnerRef { cgroup_id: 77, ..owner(900, 5, 1_000) };
    assert_eq!(resolver.resolve(&inside, &Maps::default()).exe, None, "its root is not known");
    let outside = OwnerRef { cgroup_id: 78, ..owner(900, 6, 1_000) };
    let exe = resolver.resolve(&outside, &Maps::default()).exe.clone().expect("known by name");
    assert!(
        exe.len() > "/server".len() && exe.ends_with("/root/server"),
        "resolved in the host's root: {exe}"
    );
}

#[test]
fn what_the_kernel_read_needs_no_other_witness() {
    let fixture = Fixture::new(700, 5_000, "0::/\n");
    let mut resolver = fixture.resolver();
    let file = read_at(b"x/\xff/srv/", MountOwner::Root);
    resolver.learn_exec(&Executable { file, ..Executable::named(5, 900, 0, b"./x") });
    let gone = owner(900, 5, 1_000);
    assert_eq!(resolver.resolve(&gone, &Maps::default()).exe.as_deref(), Some(r"$'/srv/\xff/x'"));
    let counters = resolver.counters();
    assert_eq!((counters.exe_executed, counters.exe_live, counters.exe_named), (1, 0, 0));
}

/// The name would lead to a file of the host, and so would `/proc`.
#[test]
fn a_path_in_mounts_of_others_counts_if_it_is_that_file() {
    let id = "3fa94ac1bd2d4c1f8ee46e0ad3a5b1f0c0ffee00deadbeef0123456789abcdef";
    let fixture = Fixture::new(700, 5_000, "0::/\n");
    need!(fixture.cgroup(&format!("system.slice/docker-{id}.scope"), 0));
    need!(fixture.cgroup("system.slice/plain.service", 0));
    let there = fs::metadata(fixture.dir.path().join("root/server")).expect("exists");
    let (major, minor) = (rustix::fs::major(there.dev()), rustix::fs::minor(there.dev()));
    let exe_of = |cgroup: String, inode, mounts, alive: bool| {
        let mut resolver = fixture.resolver();
        let id = fs::metadata(fixture.dir.path().join(&cgroup)).expect("exists").ino();
        resolver.learn_cgroup(id, format!("/{cgroup}").as_bytes());
        let file = FileReading { device: major << 20 | minor, inode, ..read_at(b"server/", mounts) };
        resolver.learn_exec(&Executable { file, ..Executable::named(5, 700, 0, b"/server") });
        let mut maps = Maps::default();
        if alive {
            maps.task(700, 5, 50_000_000_000);
        }
        let caller = OwnerRef { cgroup_id: id, ..owner(700, 5, 50_000_000_000) };
        let process = resolver.resolve(&caller, &maps);
        let inside = process.container.is_some();
        let withheld = (process.exe.is_none() && !inside).then_some(Withheld::OtherMounts);
        assert_eq!(process.exe_withheld, withheld, "{cgroup}");
        process.exe.clone()
    };
    let plain = || "system.slice/plain.service".to_owned();
    for alive in [true, false] {
        for mounts in [MountOwner::Other, MountOwner::Detached] {
            assert_eq!(exe_of(plain(), there.ino(), mounts, alive).as_deref(), Some("/server"));
            assert_eq!(exe_of(plain(), there.ino() + 1, mounts, alive), None, "{mounts:?}, {alive}");
        }
        let docker = || format!("system.slice/docker-{id}.scope");
        let inside = exe_of(docker(), there.ino() + 1, MountOwner::Other, alive);
        assert_eq!(inside.as_deref(), Some("/server"), "root made the container");
        assert_eq!(exe_of(docker(), there.ino() + 1, MountOwner::Detached, alive), None);
    }
}

#[test]
fn a_forgotten_exec_id_is_looked_up() {
    let mut maps = Maps::default();
    maps.named(5, 900, "/bin/sleep");
    let mut resolver = real();
    resolver.learn_cgroup(77, b"/system.slice/x.service");
    let gone = OwnerRef { cgroup_id: 77, ..owner(4_000_003, 5, 1_000) };
    assert_eq!(resolver.resolve(&gone, &maps).exe, Some(program("sleep").into()));
}

/// In a container any program may have that path.
#[test]
fn a_proxy_is_named_outside_of_containers_only() {
    let id = "3fa94ac1bd2d4c1f8ee46e0ad3a5b1f0c0ffee00deadbeef0123456789abcdef";
    let fixture = Fixture::new(700, 5_000, "0::/\n");
    let contained = format!("system.slice/docker-{id}.scope");
    need!(fixture.cgroup(&contained, 0));
    need!(fixture.cgroup("system.slice/docker.service", 0));
    let plain = "system.slice/docker.service".to_owned();
    for (cgroup, expected) in [(plain, Some(UserlandProxy::DockerProxy)), (contained, None)] {
        let mut resolver = fixture.resolver();
        let id = fs::metadata(fixture.dir.path().join(&cgroup)).expect("exists").ino();
        resolver.learn_cgroup(id, format!("/{cgroup}").as_bytes());
        let file = read_at(b"docker-proxy/bin/usr/", MountOwner::Root);
        resolver.learn_exec(&Executable { file, ..Executable::named(5, 700, 0, b"docker-proxy") });
        let caller = OwnerRef { cgroup_id: id, ..owner(700, 5, 50_000_000_000) };
        let process = resolver.resolve(&caller, &Maps::default());
        assert_eq!(process.exe.as_deref(), Some("/usr/bin/docker-proxy"), "{cgroup}");
        assert_eq!(process.proxy, expected, "{cgroup}");
    }
}
