//! Ways around `mode = "enforce"`, each tried, and real programs that it lets through or does not. docs/enforcement.md has the list.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use gdprport_tests::cgroup::Cgroup;
use gdprport_tests::child::{Child, Place};
use gdprport_tests::daemon::Daemon;
use gdprport_tests::enforce::{Scene, Seen, client, connect, ended, exe};
use gdprport_tests::need;
use gdprport_tests::policy::declare;
use gdprport_tests::puppet::{ProgramCopy, Puppet};
use gdprport_tests::servers::Postgres;
use gdprport_tests::temp::{TempDir, set_mode};
use gdprport_tests::user::User;
use gdprport_tests::wait;

/// `EPERM`.
const DENIED: &str = "1";

/// A daemon that denies what is unknown too.
fn strict(scene: &Scene, process: &str) -> Daemon {
    Daemon::with(
        scene
            .declared("enforce")
            .allow("calling", "out", "loopback", process)
            .key("enforce.on_unknown = \"deny\"")
            .alone(),
    )
}

fn denied(puppet: &mut Puppet, scene: &Scene) -> String {
    puppet.ask(&format!("connect-denied 127.0.0.1:{}", scene.port()))
}

#[test]
fn the_same_bytes_in_memory_are_not_the_declared_program() {
    let scene = Scene::new();
    let program = ProgramCopy::new("puppet", "declared");
    let daemon = strict(&scene, &exe(&program));
    let mut attacker = Puppet::new();
    attacker.ask(&format!("exec-memory {}", program.path().display()));
    assert_eq!(denied(&mut attacker, &scene), DENIED);
    attacker.become_program("exec", &program.path());
    attacker.connect(format!("127.0.0.1:{}", scene.port()));
    daemon.stop();
}

/// A user needs no rights for a mount namespace of his own, where any path leads to his program.
#[test]
fn a_mount_over_a_declared_program_borrows_nothing() {
    let (scene, user) = (Scene::new(), User::games());
    let (program, evil) = (ProgramCopy::new("puppet", "declared"), ProgramCopy::new("puppet", "evil"));
    let daemon = strict(&scene, &exe(&program));
    let mut attacker = Puppet::at(Place::default().user(&user));
    attacker.ask("unshare-user");
    attacker.ask(&format!("cover {} {}", evil.path().display(), program.path().display()));
    attacker.ask(&format!("exec {}", program.path().display()));
    assert_eq!(denied(&mut attacker, &scene), DENIED);
    daemon.stop();
}

#[test]
fn root_of_a_user_namespace_is_the_user_outside() {
    let (scene, user) = (Scene::new(), User::games());
    let daemon = strict(&scene, "user = \"root\"");
    let mut attacker = Puppet::at(Place::default().user(&user));
    attacker.ask("unshare-user");
    assert_eq!(denied(&mut attacker, &scene), DENIED);
    daemon.stop();
}

#[test]
fn a_declared_program_that_executes_another_is_the_other() {
    let scene = Scene::new();
    let (program, other) = (ProgramCopy::new("puppet", "declared"), ProgramCopy::new("puppet", "other"));
    let daemon = strict(&scene, &exe(&program));
    let mut attacker = Puppet::run(&program.path(), Place::default());
    attacker.connect(format!("127.0.0.1:{}", scene.port()));
    attacker.become_program("exec", &other.path());
    assert_eq!(denied(&mut attacker, &scene), DENIED);
    daemon.stop();
}

/// What the kernel executes is the interpreter: to declare the script's path declares nothing.
#[test]
fn a_script_counts_as_its_interpreter() {
    let (scene, bash) = (Scene::new(), ProgramCopy::of(Path::new("/bin/bash"), "shell"));
    let dir = TempDir::new();
    let text = format!("#!{}\nexec 3<>\"/dev/tcp/${{1%:*}}/${{1#*:}}\"\n", bash.path().display());
    let script = dir.write("script", &text);
    set_mode(&script, 0o755);
    let of = |process: &str| {
        let daemon = strict(&scene, process);
        let seen = connect(&script, scene.port(), Place::default());
        daemon.stop();
        seen
    };
    assert_eq!(of(&exe(&bash)), Seen::Connected);
    assert_eq!(of(&format!("exe = \"{}\"", script.display())), Seen::Denied);
}

/// Its name leads to the declared program by then.
#[test]
fn a_deleted_program_stays_what_it_was() {
    let scene = Scene::new();
    let (declared, other) = (client(), ProgramCopy::new("puppet", "other"));
    let daemon = strict(&scene, &exe(&declared));
    let path = other.path();
    let mut attacker = Puppet::run(&path, Place::default());
    std::fs::remove_file(&path).expect("it is ours");
    symlink(declared.path(), &path).expect("its name is free");
    assert_eq!(denied(&mut attacker, &scene), DENIED);
    daemon.stop();
}

/// The declared client works at full speed meanwhile.
#[test]
fn a_database_is_reached_by_its_declared_client_alone() {
    let postgres = need!(Postgres::start());
    let (games, backup, unit) = (User::games(), User::backup(), Cgroup::service());
    let (psql, bench) = (postgres.client_exe(), postgres.pgbench_exe());
    let port = postgres.server.port.number();
    let rule =
        |exe: &Path| format!("exe = \"{}\", user = \"games\", unit = \"{}\"", exe.display(), unit.unit());
    let policy = declare("customers-db", port)
        .key("mode = \"enforce\"")
        .key("enforce.on_unknown = \"deny\"")
        .allow("serving", "in", "loopback", "")
        .allow("asking", "out", "loopback", &rule(&psql))
        .allow("working", "out", "loopback", &rule(&bench));
    let daemon = Daemon::with(policy.alone());
    let here = Place::default().cgroup(&unit).user(&games);
    let query = || postgres.client("127.0.0.1", "select 1");
    wait::until("the unit is known", || ended(query(), here) == Seen::Connected);

    let mut load = Command::new(&bench);
    load.args([
        "-n",
        "-C",
        "-S",
        "-c",
        "2",
        "-T",
        "60",
        "-h",
        "127.0.0.1",
        "-U",
        "postgres",
        "-p",
        &port.to_string(),
    ]);
    load.env("PGSSLMODE", "disable").env("PGGSSENCMODE", "disable").arg("postgres");
    let mut init = Command::new(&bench);
    init.args(["-i", "-q", "-h", "127.0.0.1", "-U", "postgres", "-p", &port.to_string(), "postgres"]);
    init.env("PGSSLMODE", "disable").env("PGGSSENCMODE", "disable");
    assert_eq!(ended(init, here), Seen::Connected);
    load.stdout(Stdio::null()).stderr(Stdio::piped());
    let mut load = Child::start(load, here);

    let copied = ProgramCopy::of(&psql, "psql");
    let mut copy = Command::new(copied.path());
    copy.args(query().get_args()).env("PGSSLMODE", "disable").env("PGGSSENCMODE", "disable");
    assert_eq!(ended(copy, here), Seen::Denied, "a copy");
    assert_eq!(ended(query(), here.user(&backup)), Seen::Denied, "another user");
    assert_eq!(ended(query(), Place::default().user(&games)), Seen::Denied, "another unit");
    assert_eq!(ended(query(), here), Seen::Connected);
    let made = || daemon.status()["enforcement"]["decisions"]["allowed"].as_u64() > Some(50);
    wait::until("the load has connected often", made);
    assert_eq!(load.ended(), None, "nothing ended it");
    let port = daemon.port_status(port);
    assert_eq!(port["denied"].as_u64(), Some(3), "{port}");
    daemon.stop();
}
