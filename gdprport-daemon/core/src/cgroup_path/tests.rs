//! Paths as they are met on real hosts, and the promise that no text makes the parser fail.

use proptest::prelude::*;

use super::*;
use crate::model::{Container, Naming};

const ID: &str = "3fa94ac1bd2d4c1f8ee46e0ad3a5b1f0c0ffee00deadbeef0123456789abcdef";
const POD: &str = "0c5d2d4e-7a0b-4f4e-9d4a-0f6f0b1f2a3c";
const POD_: &str = "0c5d2d4e_7a0b_4f4e_9d4a_0f6f0b1f2a3c";
const STATIC_POD: &str = "5b1e3f0d8a7c4e2f9b6a0d1c2e3f4a5b";

struct Case {
    path: String,
    unit: Option<String>,
    slice: Option<String>,
    container: Option<(String, Option<&'static str>, Option<&'static str>)>,
}

fn case(path: &str, unit: &str, slice: &str, container: &str) -> Case {
    let fill = |text: &str| text.replace("{ID}", ID).replace("{POD}", POD).replace("{POD_}", POD_);
    let some = |text: &str| (!text.is_empty()).then(|| fill(text));
    let mut words = container.split_whitespace();
    let container = words.next().map(|runtime| {
        let id = fill(words.next().expect("a container has an id"));
        let pod = words.next().map(|pod| if pod == "static" { STATIC_POD } else { POD });
        let runtime = ["docker", "containerd", "cri-o", "podman", "lxc", "systemd-nspawn"]
            .into_iter()
            .find(|known| *known == runtime);
        (id, runtime, pod)
    });
    Case {
        path: fill(&path.replace("{STATIC}", STATIC_POD)),
        unit: some(unit),
        slice: some(slice),
        container,
    }
}

fn cases() -> Vec<Case> {
    vec![
        // Plain systemd.
        case("/", "", "", ""),
        case("/init.scope", "init.scope", "", ""),
        case("/system.slice/etl.service", "etl.service", "system.slice", ""),
        case(
            "/system.slice/system-postgresql.slice/postgresql@15-main.service",
            "postgresql@15-main.service",
            "system-postgresql.slice",
            "",
        ),
        case(
            "/system.slice/dev-disk-by\\x2duuid-1234.swap",
            "dev-disk-by\\x2duuid-1234.swap",
            "system.slice",
            "",
        ),
        case("/system.slice/var-lib-data.mount", "var-lib-data.mount", "system.slice", ""),
        case("/system.slice/sshd.socket", "sshd.socket", "system.slice", ""),
        case("/system.slice/_cpu.service", "cpu.service", "system.slice", ""),
        case("/user.slice/user-1000.slice/session-3.scope", "session-3.scope", "user-1000.slice", ""),
        case(
            "/user.slice/user-1000.slice/user@1000.service/app.slice/app-firefox-4711.scope",
            "user@1000.service",
            "user-1000.slice",
            "",
        ),
        case(
            "/user.slice/user-1000.slice/user@1000.service/init.scope",
            "user@1000.service",
            "user-1000.slice",
            "",
        ),
        // A user calls a unit of his own like one of the system's.
        case(
            "/user.slice/user-1000.slice/user@1000.service/app.slice/postgresql@15-main.service",
            "user@1000.service",
            "user-1000.slice",
            "",
        ),
        // Whom a unit or a directory was delegated to does so too.
        case("/system.slice/alice.service/postgresql.service", "alice.service", "system.slice", ""),
        case("/system.slice/alice.service/evil.slice/a.service", "alice.service", "system.slice", ""),
        case("/alice/system.slice/postgresql.service", "", "", ""),
        case("/system.slice/gitlab.service/worker", "gitlab.service", "system.slice", ""),
        case("/system.slice", "", "system.slice", ""),
        case("/../../system.slice/x.service", "x.service", "system.slice", ""),
        // docker.
        case("/system.slice/docker-{ID}.scope", "docker-{ID}.scope", "system.slice", "docker {ID}"),
        case("/docker/{ID}", "", "", "docker {ID}"),
        case("/actions_job/{ID}", "", "", "docker {ID}"),
        case(
            "/system.slice/docker-{ID}.scope/system.slice/nginx.service",
            "docker-{ID}.scope",
            "system.slice",
            "docker {ID}",
        ),
        case(
            "/user.slice/user-1000.slice/user@1000.service/user.slice/docker-{ID}.scope",
            "user@1000.service",
            "user-1000.slice",
            "docker {ID}",
        ),
        case("/ecs/0123456789abcdef0123456789abcdef/{ID}", "", "", "? {ID}"),
        // Kubernetes.
        case(
            "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{POD_}.slice/cri-containerd-{ID}.scope",
            "cri-containerd-{ID}.scope",
            "kubepods-burstable-pod{POD_}.slice",
            "containerd {ID} pod",
        ),
        case(
            "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{POD_}.slice/crio-{ID}.scope/container",
            "crio-{ID}.scope",
            "kubepods-besteffort-pod{POD_}.slice",
            "cri-o {ID} pod",
        ),
        case(
            "/kubepods.slice/kubepods-pod{POD_}.slice/docker-{ID}.scope",
            "docker-{ID}.scope",
            "kubepods-pod{POD_}.slice",
            "docker {ID} pod",
        ),
        case("/kubepods/burstable/pod{POD}/{ID}", "", "", "? {ID} pod"),
        case("/kubepods/besteffort/pod{POD}/crio-{ID}", "", "", "cri-o {ID} pod"),
        case("/kubepods/burstable/pod{STATIC}/{ID}", "", "", "? {ID} static"),
        case(
            "/docker/{ID}/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod{POD_}.slice/cri-containerd-{ID}.scope",
            "",
            "",
            "docker {ID}",
        ),
        case(
            "/system.slice/containerd.service/kubepods-burstable-pod{POD_}.slice:cri-containerd:{ID}",
            "containerd.service",
            "system.slice",
            "containerd {ID} pod",
        ),
        // cri-o's and podman's monitors run outside of the container.
        case("/system.slice/crio-conmon-{ID}.scope", "crio-conmon-{ID}.scope", "system.slice", ""),
        case("/machine.slice/libpod-conmon-{ID}.scope", "libpod-conmon-{ID}.scope", "machine.slice", ""),
        // podman.
        case("/machine.slice/libpod-{ID}.scope", "libpod-{ID}.scope", "machine.slice", "podman {ID}"),
        case(
            "/machine.slice/libpod-{ID}.scope/container",
            "libpod-{ID}.scope",
            "machine.slice",
            "podman {ID}",
        ),
        case(
            "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{ID}.scope/container",
            "user@1000.service",
            "user-1000.slice",
            "podman {ID}",
        ),
        case("/system.slice/web.service/libpod-payload-{ID}", "web.service", "system.slice", "podman {ID}"),
        case("/libpod_parent/libpod-{ID}", "", "", "podman {ID}"),
        // containerd without Kubernetes.
        case("/default/{ID}", "", "", "containerd {ID}"),
        case("/system.slice/nerdctl-{ID}.scope", "nerdctl-{ID}.scope", "system.slice", "containerd {ID}"),
        // Machines and LXC.
        case(
            "/machine.slice/machine-web\\x2d1.scope",
            "machine-web\\x2d1.scope",
            "machine.slice",
            "systemd-nspawn web-1",
        ),
        case(
            "/machine.slice/systemd-nspawn@db.service/payload/system.slice/postgresql.service",
            "systemd-nspawn@db.service",
            "machine.slice",
            "systemd-nspawn db",
        ),
        case(
            "/machine.slice/machine-qemu\\x2d1\\x2dvm.scope/libvirt/emulator",
            "machine-qemu\\x2d1\\x2dvm.scope",
            "machine.slice",
            "",
        ),
        case("/lxc/101/ns/system.slice/postfix.service", "", "", "lxc 101"),
        case("/lxc.payload.mail/system.slice/dovecot.service", "", "", "lxc mail"),
        case("/lxc.monitor.mail", "", "", ""),
        // Names that only look like one.
        case("/system.slice/docker-builder.service", "docker-builder.service", "system.slice", ""),
        case("/docker/0123", "", "", ""),
        case("/.service/.slice", "", "", ""),
    ]
}

#[test]
fn real_paths_name_unit_slice_container_and_pod() {
    for case in cases() {
        let got = CgroupPath::parse(&case.path, |_| Maker::Root);
        assert_eq!(got.cgroup.as_deref(), Some(case.path.as_str()));
        assert_eq!(got.unit.as_deref(), case.unit.as_deref(), "unit of {}", case.path);
        assert_eq!(got.slice.as_deref(), case.slice.as_deref(), "slice of {}", case.path);
        let CgroupPath { inside, .. } = got;
        assert_ne!(inside, Inside::Unproven);
        let container = match inside {
            Inside::Container(c) => Some((c.id.to_string(), c.runtime, c.pod)),
            Inside::Host | Inside::Unproven => None,
        };
        let container = container.as_ref().map(|(i, r, p)| (i.as_str(), r.as_deref(), p.as_deref()));
        let wanted = case.container.as_ref().map(|(i, r, p)| (i.as_str(), *r, *p));
        assert_eq!(container, wanted, "container of {}", case.path);
    }
}

#[test]
fn a_container_is_claimed_by_whoever_can_have_named_it() {
    let path = format!("/system.slice/alice.service/sub/docker-{ID}.scope/docker-{ID}.scope");
    let container = |claimed_by| {
        Inside::Container(Container {
            id: ID.into(),
            runtime: Some("docker".into()),
            pod: None,
            claimed_by,
            naming: Naming::Unknown,
        })
    };
    for (maker, wanted) in [
        (Maker::Root, container(None)),
        (Maker::User(1000), container(Some(1000))),
        (Maker::Unknown, Inside::Unproven),
    ] {
        let mut asked = Vec::new();
        let got = CgroupPath::parse(&path, |above| {
            asked.push(above.to_owned());
            maker
        });
        assert_eq!(got.inside.of_root().is_some(), maker == Maker::Root);
        assert_eq!(got.inside.is_outside_of_roots(), maker == Maker::User(1000));
        assert_eq!(got.inside, wanted);
        assert_eq!(asked, ["/system.slice/alice.service/sub/"], "the outermost one is asked for");
    }
}

proptest! {
    #[test]
    fn every_text_is_placed_and_kept_whole(path in "\\PC{0,300}") {
        let placed = CgroupPath::parse(&path, |_| Maker::Root);
        prop_assert_eq!(placed.cgroup.as_deref(), Some(path.as_str()));
    }

    #[test]
    fn every_path_of_telling_words_is_placed(
        words in proptest::collection::vec(
            prop_oneof![
                Just("machine.slice"), Just("machine-"), Just(".scope"), Just("/"), Just("lxc"), Just("\\x2"),
                Just("\\x2d"), Just("pod"), Just("kubepods-pod"), Just(".slice"), Just(":"), Just("_"), Just(ID),
                Just("docker-"), Just("systemd-nspawn@"), Just(".service"), Just("é")
            ],
            0..20,
        )
    ) {
        let path = words.concat();
        let placed = CgroupPath::parse(&path, |_| Maker::Root);
        prop_assert_eq!(placed.cgroup.as_deref(), Some(path.as_str()));
    }
}

#[test]
fn a_path_of_containerds_clients_is_a_namespace_and_an_id() {
    assert_eq!(containerd_task("/shop/orders-ctr"), Some(("shop", "orders-ctr", true)));
    assert_eq!(containerd_task("/shop/orders-ctr/child"), Some(("shop", "orders-ctr", false)));
    let others = [
        "/",
        "/shop",
        "shop/orders",
        "/system.slice/orders",
        "/init.scope/x",
        "/shop/..",
        "/shop/.hidden",
        "/shop/a b",
        "/shop/a--b",
        "/machine.slice/a.scope",
    ];
    for other in others {
        assert_eq!(containerd_task(other), None, "{other}");
    }
}
