//! State that real runtimes have written, in the places where they put it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Instant;

use super::*;

macro_rules! fixture {
    ($name:literal) => {
        &include_bytes!(concat!("../../../../core/src/container/fixtures/", $name))[..]
    };
}

/// Debian's Docker 20.10.
const DOCKER: &str = "daf3d6572e1c9d9e972c3ccd8ed0288d084dd2466ed249674cd1414c21641efb";
/// Debian's Podman 4.3.
const PODMAN: &str = "0a17082b86d4b11b3812369a3041fac8ec3789c9e1bb5ccf2dbf4583119a446a";
/// containerd's, of a pod.
const CONTAINERD: &str = "c94d1088a40201e8c834e7d2a838d5a8d62e7655d4d4867ef61fc80d083ef10c";

/// A directory with these files in it, by root.
fn state(files: &[(String, &[u8])]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    for (path, bytes) in files {
        let path = dir.path().join(path);
        for made in path.parent().expect("it has one").ancestors().collect::<Vec<_>>().into_iter().rev() {
            if !made.exists() {
                fs::create_dir(made).expect("a directory");
                fs::set_permissions(made, fs::Permissions::from_mode(0o711)).expect("mode");
            }
        }
        fs::write(&path, bytes).expect("a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("mode");
    }
    dir
}

fn key(id: &str, runtime: &str) -> Key {
    Key { id: id.into(), runtime: Some(runtime.into()), pod: None, claimed_by: None }
}

fn place(kind: Kind, dir: &tempfile::TempDir) -> Place {
    Place { kind, base: dir.path().to_owned() }
}

#[track_caller]
fn named(place: &Place, key: &Key) -> Stated {
    let begun = Instant::now();
    let found = read(place, key).expect("it is named");
    println!("{}: {:?}", place.name(), begun.elapsed());
    assert_eq!(found.word.uid(), rustix::process::geteuid().as_raw());
    found.stated
}

fn label(stated: &Stated, key: &str) -> Option<String> {
    stated.labels.get(key).map(ToString::to_string)
}

#[test]
fn docker_names_its_container() {
    let dir = state(&[
        (format!("containers/{DOCKER}/config.v2.json"), fixture!("docker-config.json")),
        ("image/overlay2/repositories.json".to_owned(), fixture!("docker-repositories.json")),
    ]);
    let docker = place(Kind::Docker, &dir);
    let stated = named(&docker, &key(DOCKER, "docker"));
    assert!(stated.name.is_some() && stated.image.is_some() && stated.image_id.is_some());
    assert!(read(&docker, &key(&DOCKER.replace('d', "e"), "docker")).is_none());
    assert!(read(&docker, &key("..", "docker")).is_none() && read(&docker, &key(DOCKER, "lxc")).is_none());
}

/// All that there is, and the database or the lists alone.
#[test]
fn podman_names_its_container() {
    let database = ("libpod/bolt_state.db".to_owned(), fixture!("podman4.db"));
    let list = ("overlay-containers/containers.json".to_owned(), fixture!("podman-containers.json"));
    let config =
        (format!("overlay-containers/{PODMAN}/userdata/config.json"), fixture!("podman-config.json"));
    let images = ("overlay-images/images.json".to_owned(), fixture!("podman-images.json"));
    let all = state(&[database.clone(), list.clone(), config, images]);
    let stated = named(&place(Kind::Storage, &all), &key(PODMAN, "podman"));
    assert_eq!(stated.name.as_deref(), Some("orders"));
    assert_eq!(stated.image.as_deref(), Some("registry.example/shop/orders:1.4"));
    assert_eq!(label(&stated, "com.example.team").as_deref(), Some("shop"));
    assert!(stated.image_digest.is_some());
    let listed = named(&place(Kind::Storage, &state(&[list])), &key(PODMAN, "podman"));
    assert_eq!((listed.name.as_deref(), listed.labels.is_unread()), (Some("orders"), true));
    let empty = ("overlay-containers/containers.json".to_owned(), &b"[]"[..]);
    let stored = named(&place(Kind::Storage, &state(&[database, empty])), &key(PODMAN, "podman"));
    assert_eq!(label(&stored, "com.example.team").as_deref(), Some("shop"));
}

/// Podman 5 keeps its containers in SQLite, and its labels only there.
#[test]
fn a_database_that_is_being_written_is_waited_for() {
    // SHA-256 of `container 0`.
    let id = "7cadc8f78e9455fc67397acf08d6e644ce73ccc639b99b4fc38ace34c3d578f0";
    let dir = state(&[
        ("db.sql".to_owned(), fixture!("podman5.sql")),
        ("db.sql-journal".to_owned(), b""),
        ("overlay-containers/containers.json".to_owned(), b"[]"),
    ]);
    let podman = place(Kind::Storage, &dir);
    assert!(read(&podman, &key(id, "podman")).is_none(), "the transaction does not end");
    let journal = dir.path().join("db.sql-journal");
    let ends = thread::spawn(move || {
        thread::sleep(Duration::from_millis(30));
        fs::remove_file(journal)
    });
    let stated = named(&podman, &key(id, "podman"));
    assert_eq!(
        (stated.name.as_deref(), label(&stated, "app").as_deref()),
        (Some("orders-0"), Some("orders"))
    );
    ends.join().expect("ended").expect("removed");
}

#[test]
fn containerd_names_a_pods_container_also_when_it_is_gone() {
    let bundle =
        (format!("{TASKS}/k8s.io/{CONTAINERD}/config.json"), fixture!("containerd-container-config.json"));
    let database = (format!("{METADATA}/meta.db"), fixture!("containerd-meta.db"));
    let of = |dir: &tempfile::TempDir| {
        named(&place(Kind::Containerd { root: dir.path().to_owned() }, dir), &key(CONTAINERD, "containerd"))
    };
    let both = of(&state(&[bundle.clone(), database.clone()]));
    assert_eq!((both.name.as_deref(), both.namespace.as_deref()), (Some("app"), Some("shop")));
    assert_eq!(both.pod_name.as_deref(), Some("orders-7d9c5b8f6d-x2x4q"));
    assert_eq!(label(&both, "app").as_deref(), Some("orders"));
    assert_eq!(both.workload.as_ref().map(|workload| &*workload.name), Some("orders"));
    assert_eq!(both.image.as_deref(), Some("registry.example/shop/orders:1.4"));
    let running = of(&state(&[bundle]));
    assert_eq!((running.name.as_deref(), running.labels.is_unread()), (Some("app"), true));
    let gone = of(&state(&[database]));
    assert_eq!((gone.name, gone.pod_name, gone.labels), (both.name, both.pod_name, both.labels));
}

/// An image has several names. The configuration has the first of them, the record that of the pod's specification.
#[test]
fn the_image_is_called_as_it_was_asked_for() {
    let config = String::from_utf8(fixture!("containerd-container-config.json").to_vec()).expect("UTF-8");
    let config = config.replace("shop/orders:1.4", "shop/legacy:1.0");
    let dir = state(&[
        (format!("{TASKS}/k8s.io/{CONTAINERD}/config.json"), config.as_bytes()),
        (format!("{METADATA}/meta.db"), fixture!("containerd-meta.db")),
    ]);
    let containerd = place(Kind::Containerd { root: dir.path().to_owned() }, &dir);
    let stated = named(&containerd, &key(CONTAINERD, "containerd"));
    assert_eq!(stated.image.as_deref(), Some("registry.example/shop/orders:1.4"));
    assert_eq!(stated.mounts.len(), 4, "which only the configuration has");
}

#[test]
fn the_kubelets_links_name_a_pods_container() {
    let (pod, id) = ("071453ac-d626-4a93-9f16-2ce485e7d8eb", "4f".repeat(32));
    let dir = state(&[
        (format!("pods/shop_orders-0_{pod}/app/0.log"), b""),
        (format!("containers/orders-0_shop_app-{id}.log"), b""),
        (format!("containers/other-0_shop_forged-{}.log", "5a".repeat(32)), b""),
    ]);
    let kubelet = place(Kind::Kubelet, &dir);
    let of_pod = |id: &str| Key { pod: Some(pod.into()), ..key(id, "containerd") };
    let stated = named(&kubelet, &of_pod(&id));
    assert_eq!((stated.name.as_deref(), stated.pod_name.as_deref()), (Some("app"), Some("orders-0")));
    assert_eq!(stated.namespace.as_deref(), Some("shop"));
    let other = named(&kubelet, &of_pod(&"5a".repeat(32)));
    assert_eq!((other.name, other.pod_name.as_deref()), (None, Some("orders-0")), "of another pod");
    assert!(read(&kubelet, &key(&id, "containerd")).is_none());
}

#[test]
fn machines_are_called_by_their_id() {
    let dir = state(&[
        ("orders".to_owned(), b"NAME=orders\nCLASS=container\n"),
        ("web/config".to_owned(), b"lxc.mount.entry = /srv mnt none bind 0 0\n"),
    ]);
    let machine = named(&place(Kind::Machined, &dir), &key("orders", "systemd-nspawn"));
    assert_eq!(machine.name.as_deref(), Some("orders"));
    let lxc = named(&place(Kind::Lxc, &dir), &key("web", "lxc"));
    assert_eq!((lxc.name.as_deref(), lxc.mounts.len()), (Some("web"), 1));
    assert!(read(&place(Kind::Lxc, &dir), &key("../web", "lxc")).is_none());
}

/// What the database is written over with while it is read is damage, never a wrong name.
#[test]
fn damage_anywhere_names_nobody_else() {
    let whole = fixture!("podman4.db");
    for at in (0..whole.len()).step_by(4_099) {
        let mut damaged = whole.to_vec();
        damaged[at] ^= 0xff;
        damaged.truncate(whole.len() - at % 7);
        let dir = state(&[
            ("libpod/bolt_state.db".to_owned(), &damaged),
            ("overlay-containers/containers.json".to_owned(), b"[]"),
        ]);
        if let Some(found) = read(&place(Kind::Storage, &dir), &key(PODMAN, "podman")) {
            assert_eq!(found.stated.name.as_deref(), Some("orders"), "byte {at}");
        }
    }
}

/// Prints what one look-up costs beside a process: `cargo test … -- --ignored --nocapture`.
#[test]
#[ignore = "on demand: it measures"]
fn what_a_look_up_costs() {
    const ROUNDS: u32 = 500;
    let docker = state(&[(format!("containers/{DOCKER}/config.v2.json"), fixture!("docker-config.json"))]);
    let podman = state(&[
        ("libpod/bolt_state.db".to_owned(), fixture!("podman4.db")),
        ("overlay-containers/containers.json".to_owned(), fixture!("podman-containers.json")),
        (format!("overlay-containers/{PODMAN}/userdata/config.json"), fixture!("podman-config.json")),
        ("overlay-images/images.json".to_owned(), fixture!("podman-images.json")),
    ]);
    let containerd = state(&[
        (format!("{TASKS}/k8s.io/{CONTAINERD}/config.json"), fixture!("containerd-container-config.json")),
        (format!("{METADATA}/meta.db"), fixture!("containerd-meta.db")),
    ]);
    let root = containerd.path().to_owned();
    let bytes = || {
        let io = fs::read_to_string("/proc/thread-self/io").expect("it is there");
        let line = io.lines().find_map(|line| line.strip_prefix("rchar: ")).expect("a count");
        line.parse::<u64>().expect("a number")
    };
    let begun = Instant::now();
    for _ in 0..ROUNDS {
        std::process::Command::new("/bin/true").status().expect("it runs");
    }
    println!("fork and exec of /bin/true: {:?}", begun.elapsed() / ROUNDS);
    for (place, key) in [
        (place(Kind::Docker, &docker), key(DOCKER, "docker")),
        (place(Kind::Storage, &podman), key(PODMAN, "podman")),
        (place(Kind::Containerd { root }, &containerd), key(CONTAINERD, "containerd")),
    ] {
        let (before, begun) = (bytes(), Instant::now());
        for _ in 0..ROUNDS {
            assert!(read(&place, &key).is_some());
        }
        let each = (bytes() - before) / u64::from(ROUNDS);
        println!("{}: {:?}, {each} bytes", place.name(), begun.elapsed() / ROUNDS);
    }
    let mut looker = super::super::look::Looker::new(
        super::super::key::Lane::Root,
        Vec::new(),
        gdprport_core::container::ShownLabels::default(),
    );
    let none = key(&"4f".repeat(32), "docker");
    let (before, begun) = (bytes(), Instant::now());
    for _ in 0..ROUNDS {
        assert!(looker.look(&none).is_none());
    }
    println!("unknown to all of root's: {:?}, {} bytes", begun.elapsed() / ROUNDS, (bytes() - before) / 500);
}
