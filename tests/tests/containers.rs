//! Containers are called what their runtime's state says, whoever wrote it is named, and nothing in it stops the daemon.

use std::collections::HashMap;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::process::Command;

use gdprport_tests::cgroup::Cgroup;
use gdprport_tests::child::{Child, Place};
use gdprport_tests::containers::{DockerState, docker_config, unique_id};
use gdprport_tests::daemon::{Daemon, Start};
use gdprport_tests::event::Event;
use gdprport_tests::need;
use gdprport_tests::policy::{Declaration, declare, open};
use gdprport_tests::ports::Port;
use gdprport_tests::puppet::Puppet;
use gdprport_tests::temp::{HungDisk, set_mode};
use gdprport_tests::truth::{End, check_declared, check_violation};
use gdprport_tests::user::User;
use gdprport_tests::wait;

fn make_fifo(path: &Path) {
    let name = std::ffi::CString::new(path.as_os_str().as_bytes()).expect("a path has no NUL");
    // SAFETY: the pointer is to a NUL-terminated string that outlives the call.
    assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o644) }, 0, "a FIFO");
}

/// A daemon that looks for containers in a state of the test's own, and a server to connect to.
struct Scene {
    state: DockerState,
    port: Port,
    daemon: Daemon,
    /// Listens as long as it lives, and accepts nothing of itself.
    server: Puppet,
}

impl Scene {
    fn new() -> Self {
        let state = DockerState::new();
        let config = state.config();
        Self::with(state, &config)
    }

    fn with(state: DockerState, config: &str) -> Self {
        Self::by(open, state, config)
    }

    /// One in which a client is allowed that this says of its process.
    fn allowing(process: &str) -> Self {
        let state = DockerState::new();
        let config = state.config();
        let declared = |port| {
            declare("orders", port).allow("serving", "in", "any", "").allow("calling", "out", "any", process)
        };
        Self::by(declared, state, &config)
    }

    fn by(declared: impl Fn(u16) -> Declaration, state: DockerState, config: &str) -> Self {
        let port = Port::free();
        let daemon = Start::with(declared(port.number()).alone()).config(config).start();
        let mut server = Puppet::new();
        server.listen(format!("127.0.0.1:{port}"));
        Self { state, port, daemon, server }
    }

    /// A connection from a container, and the event of its opening.
    fn connect(&mut self, client: &mut Puppet) -> (u16, Event) {
        let local = client.connect(format!("127.0.0.1:{}", self.port)).address.port();
        (local, self.event(client, local, "flow.open"))
    }

    /// Of a connection from a container that is made for it, the event that first shows its names, or that it has none.
    fn connect_from(&mut self, id: &str) -> Event {
        let cgroup = Cgroup::docker(id);
        let mut client = Puppet::at(Place::default().cgroup(&cgroup));
        self.settled(&mut client)
    }

    fn settled(&mut self, client: &mut Puppet) -> Event {
        let (local, event) = self.connect(client);
        match event.text("process.container.naming") {
            "pending" => self.event(client, local, "flow.update"),
            _ => event,
        }
    }

    fn event(&mut self, client: &Puppet, local: u16, kind: &str) -> Event {
        End::of_client(client, local, self.port.number()).event(&mut self.daemon.log, kind)
    }
}

#[test]
fn a_container_is_called_what_its_runtime_calls_it() {
    let mut scene = Scene::new();
    let id = unique_id();
    scene.state.add(&id, "orders-1", "registry.example/shop/orders:1.4");
    let cgroup = Cgroup::docker(&id);
    let mut client = Puppet::at(Place::default().cgroup(&cgroup));
    let (_, event) = scene.connect(&mut client);
    let container = event.at("process.container");
    assert_eq!(container["id"], id, "{}", event.line());
    assert_eq!(container["naming"], "known", "{}", event.line());
    assert_eq!(container["name"], "orders-1", "{}", event.line());
    assert_eq!(container["image"], "registry.example/shop/orders:1.4", "{}", event.line());
    assert_eq!(container["stated_by"]["uid"], 0, "{}", event.line());
    assert!(container.get("claimed_by").is_none(), "{}", event.line());
    assert!(!event.line().contains("never shown"), "{}", event.line());
    scene.daemon.stop();
}

/// Its cgroup was made before the daemon was started.
#[test]
fn a_container_that_was_there_before_gets_its_name_too() {
    let (state, port, id) = (DockerState::new(), Port::free(), unique_id());
    state.add(&id, "orders-1", "orders");
    let cgroup = Cgroup::docker(&id);
    let mut client = Puppet::at(Place::default().cgroup(&cgroup));
    let daemon = Start::with(open(port.number()).alone()).config(&state.config()).start();
    let mut server = Puppet::new();
    server.listen(format!("127.0.0.1:{port}"));
    let mut scene = Scene { state, port, daemon, server };
    let event = scene.settled(&mut client);
    assert_eq!(event.text("process.container.name"), "orders-1", "{}", event.line());
    scene.daemon.stop();
}

/// A runtime that makes the cgroup first, or writes slowly.
#[test]
fn a_name_that_comes_late_is_reported_with_an_update() {
    let mut scene = Scene::allowing("container = \"orders-*\"");
    let id = unique_id();
    let path = scene.state.directory(&id);
    std::fs::write(&path, "{\"ID\": \"").expect("half of a file");
    let cgroup = Cgroup::docker(&id);
    let mut client = Puppet::at(Place::default().cgroup(&cgroup));
    let (local, event) = scene.connect(&mut client);
    assert_eq!(event.text("process.container.naming"), "pending", "{}", event.line());
    assert!(event.at("process.container").get("name").is_none(), "{}", event.line());
    assert_eq!(event.text("verdict.outcome"), "undecided", "{}", event.line());
    scene.state.add(&id, "orders-1", "orders");
    let event = scene.event(&client, local, "flow.update");
    assert_eq!(event.text("process.container.name"), "orders-1", "{}", event.line());
    check_declared(&event, "calling");
    scene.daemon.stop();
}

/// Neither by the name nor by the id of a container of root's: the user has chosen both.
#[test]
fn a_container_that_a_user_claims_is_not_one_of_roots() {
    let user = User::games();
    let id = unique_id();
    for (process, allowed) in [
        (format!("container = \"{id}\""), false),
        ("container = \"orders-1\"".to_owned(), false),
        ("image = \"orders\"".to_owned(), false),
        ("image = \"orders\", stated_by = \"backup\"".to_owned(), false),
        ("image = \"orders\", stated_by = \"games\"".to_owned(), true),
        (format!("container = \"{id}\", stated_by = [\"{}\"]", user.uid), true),
    ] {
        let mut scene = Scene::allowing(&process);
        scene.state.add(&id, "orders-1", "orders");
        let service = Cgroup::service();
        let claimed = service.delegated(&user, &format!("docker-{id}.scope"));
        let mut client = Puppet::at(Place::default().cgroup(&claimed));
        let event = scene.settled(&mut client);
        let container = event.at("process.container");
        assert_eq!((&container["id"], &container["claimed_by"]), (&id.as_str().into(), &user.uid.into()));
        assert_eq!(container["name"], "orders-1", "{}", event.line());
        assert_eq!(container["stated_by"]["uid"], user.uid, "the state is root's, the cgroup is not");
        if allowed {
            check_declared(&event, "calling");
        } else {
            check_violation(&event, "undeclared-process", "calling", "stated_by");
        }
        drop(client);
        scene.daemon.stop();
    }
}

/// Whatever stands in the place of a container's state.
#[test]
fn a_state_that_cannot_be_read_names_nothing() {
    let mut scene = Scene::new();
    let ids: Vec<String> = std::iter::repeat_with(unique_id).take(7).collect();
    let whole = docker_config(&ids[0], "orders-1", "orders", &[]);
    scene.state.write(&ids[0], &whole.as_bytes()[..whole.len() / 2]);
    scene.state.write(&ids[1], &[whole.as_bytes(), &b" ".repeat(5 << 20)].concat());
    scene.state.write(&ids[2], "[".repeat(1 << 20).as_bytes());
    scene.state.write(&ids[3], b"\xff\x00{}");
    let link = scene.state.directory(&ids[4]);
    let elsewhere = scene.state.path().join("elsewhere");
    std::fs::write(&elsewhere, docker_config(&ids[4], "linked", "orders", &[])).expect("a file");
    std::os::unix::fs::symlink(&elsewhere, link).expect("a link");
    make_fifo(&scene.state.directory(&ids[5]));
    let made: Vec<(Cgroup, Puppet)> = ids
        .iter()
        .map(|id| {
            let cgroup = Cgroup::docker(id);
            let client = Puppet::at(Place::default().cgroup(&cgroup));
            (cgroup, client)
        })
        .collect();
    for (_cgroup, mut client) in made {
        let event = scene.settled(&mut client);
        assert_eq!(event.text("process.container.naming"), "unknown", "{}", event.line());
        drop(client);
    }
    let good = unique_id();
    scene.state.add(&good, "orders-2", "orders");
    let event = scene.connect_from(&good);
    assert_eq!(event.text("process.container.name"), "orders-2", "{}", event.line());
    let containers = scene.daemon.status()["containers"].clone();
    // Other tests make containers too.
    let count = |key: &str| containers[key].as_u64().expect("a count");
    assert!(count("unknown") >= 7 && count("known") >= 1, "{containers}");
    scene.daemon.stop();
}

#[test]
fn a_state_that_hangs_delays_no_other() {
    let disk = need!(HungDisk::new());
    let state = DockerState::new();
    let config = format!(
        "[containers]\nstate = [\"{}\", \"{}\"]\n",
        disk.join("docker").display(),
        state.path().display()
    );
    let mut scene = Scene::with(state, &config);
    let id = unique_id();
    scene.state.add(&id, "orders-1", "orders");
    let event = scene.connect_from(&id);
    assert_eq!(event.text("process.container.name"), "orders-1", "{}", event.line());
    // Whether that place names it will not be known.
    let cgroup = Cgroup::docker(&unique_id());
    let mut client = Puppet::at(Place::default().cgroup(&cgroup));
    let (_, event) = scene.connect(&mut client);
    assert_eq!(event.text("process.container.naming"), "pending", "{}", event.line());
    wait::until("the place is known to be stuck", || scene.daemon.status()["containers"]["stuck"] == 1);
    scene.daemon.stop();
}

#[test]
fn a_container_keeps_the_name_that_it_began_with() {
    let mut scene = Scene::new();
    let id = unique_id();
    scene.state.add(&id, "orders-1", "orders");
    let cgroup = Cgroup::docker(&id);
    let mut client = Puppet::at(Place::default().cgroup(&cgroup));
    assert_eq!(scene.settled(&mut client).text("process.container.name"), "orders-1");
    scene.state.add(&id, "billing-1", "billing");
    let mut second = Puppet::at(Place::default().cgroup(&cgroup));
    let event = scene.settled(&mut second);
    assert_eq!(event.text("process.container.name"), "orders-1", "{}", event.line());
    drop((client, second));
    scene.daemon.stop();
}

#[test]
fn whoever_can_write_the_state_has_named_the_container() {
    let mut scene = Scene::new();
    let user = User::games();
    let (of_user, of_anybody) = (unique_id(), unique_id());
    for id in [&of_user, &of_anybody] {
        scene.state.add(id, "orders-1", "orders");
    }
    std::os::unix::fs::chown(scene.state.file(&of_user), Some(user.uid), None).expect("root may give away");
    set_mode(&scene.state.file(&of_anybody), 0o666);
    let event = scene.connect_from(&of_user);
    let stated_by = event.at("process.container.stated_by");
    assert_eq!(
        (&stated_by["uid"], &stated_by["user"]),
        (&user.uid.into(), &"games".into()),
        "{}",
        event.line()
    );
    let event = scene.connect_from(&of_anybody);
    assert_eq!(event.number("process.container.stated_by.uid"), Some(u32::MAX.into()), "{}", event.line());
    scene.daemon.stop();
}

/// It could rename itself, or others.
#[test]
fn a_container_that_mounts_the_state_is_marked() {
    let mut scene = Scene::new();
    let parent = scene.state.path().parent().expect("a directory").display().to_string();
    for (mount, marked) in [(parent.as_str(), true), ("/run/docker.sock", true), ("/srv/orders", false)] {
        let id = unique_id();
        scene.state.write(&id, docker_config(&id, "agent", "agent", &[mount]).as_bytes());
        let event = scene.connect_from(&id);
        let writes = event.at("process.container").get("writes_state").is_some_and(|value| value == true);
        assert_eq!(writes, marked, "{mount}: {}", event.line());
    }
    scene.daemon.stop();
}

/// Each lives for a second, in which it connects once. One whose names are not known is undecided, and never another.
#[test]
fn of_many_short_containers_none_has_a_wrong_name() {
    short_containers(200);
}

#[test]
#[ignore = "on demand: it starts a thousand containers of a second each"]
fn in_full_of_a_thousand_short_containers_none_is_wrong() {
    short_containers(1_000);
}

/// Each is named and declared, or has no name and is undecided.
fn short_containers(containers: usize) {
    const AT_ONCE: usize = 50;
    let mut scene = Scene::allowing(r#"image = "orders""#);
    // Of a connection that only its client closes, the kernel may keep that end for another 60 s: see `wait::TIMEOUT`.
    scene.server.ask("serve");
    let port = scene.port.number();
    let named: Vec<(String, String)> =
        (0..containers).map(|number| (unique_id(), format!("orders-{number}"))).collect();
    for some in named.chunks(AT_ONCE) {
        let running: Vec<(Child, Cgroup)> = some
            .iter()
            .map(|(id, name)| {
                scene.state.add(id, name, "orders");
                let cgroup = Cgroup::docker(id);
                let mut command = Command::new("/bin/bash");
                command.args(["-c", &format!("exec 3<>/dev/tcp/127.0.0.1/{port} || exit 1; sleep 1")]);
                (Child::start(command, Place::default().cgroup(&cgroup)), cgroup)
            })
            .collect();
        for (mut child, cgroup) in running {
            assert!(child.wait(wait::TIMEOUT).success(), "it connects");
            drop(cgroup);
        }
        for (id, _) in some {
            let state = scene.state.file(id);
            std::fs::remove_dir_all(state.parent().expect("its directory")).expect("it is removed");
        }
    }
    scene.daemon.log.wait_count("ends of the connections", containers, |event| {
        event.is("flow.close", port) && event.at("flow.direction") == "out"
    });
    let named: HashMap<String, String> = named.into_iter().collect();
    let mut right = 0;
    let of_clients = |event: &&Event| event.is("flow.close", port) && event.at("flow.direction") == "out";
    for event in scene.daemon.log.seen().iter().filter(of_clients) {
        let container = event.at("process.container");
        let named_exactly = container["naming"] == "known";
        let verdict = if named_exactly { "declared" } else { "undecided" };
        assert_eq!(event.text("verdict.outcome"), verdict, "{}", event.line());
        // Where the cgroup is gone before its record is read, nothing proves that root has made it.
        let Some(id) = container["id"].as_str() else { continue };
        if named_exactly {
            assert_eq!(container["name"], named[id].as_str(), "{}", event.line());
            right += 1;
        } else {
            assert!(container.get("name").is_none(), "{}", event.line());
            println!("{}", event.line());
        }
    }
    println!("{right} of {containers} named");
    assert!(right * 100 >= containers * 95, "only {right} of {containers} have names");
    scene.daemon.stop();
}
