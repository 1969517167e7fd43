//! Containers are called what their runtime's state says, whoever wrote it is named, and nothing in it stops the daemon.

use gdprport_tests::cgroup::Cgroup;
use gdprport_tests::child::Place;
use gdprport_tests::containers::{DockerState, unique_id};
use gdprport_tests::daemon::{Daemon, Start};
use gdprport_tests::event::Event;
use gdprport_tests::policy::open;
use gdprport_tests::ports::Port;
use gdprport_tests::puppet::Puppet;
use gdprport_tests::truth::End;

/// A daemon that looks for containers in a state of the test's own, and a server to connect to.
struct Scene {
    state: DockerState,
    port: Port,
    daemon: Daemon,
    /// Listens as long as it lives.
    _server: Puppet,
}

impl Scene {
    fn new() -> Self {
        let (state, port) = (DockerState::new(), Port::free());
        let daemon = Start::with(open(port.number()).alone()).config(&state.config()).start();
        let mut server = Puppet::new();
        server.listen(format!("127.0.0.1:{port}"));
        Self { state, port, daemon, _server: server }
    }

    /// A connection from a container, and the event of its opening.
    fn connect(&mut self, client: &mut Puppet) -> (u16, Event) {
        let local = client.connect(format!("127.0.0.1:{}", self.port)).address.port();
        (local, self.event(client, local, "flow.open"))
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
    let mut scene = Scene { state, port, daemon, _server: server };
    let (local, event) = scene.connect(&mut client);
    let event = match event.text("process.container.naming") {
        "pending" => scene.event(&client, local, "flow.update"),
        _ => event,
    };
    assert_eq!(event.text("process.container.name"), "orders-1", "{}", event.line());
    scene.daemon.stop();
}
