//! What decisions know of real programs, and processes that live a millisecond.

use std::fs;
use std::io::Write as _;
use std::os::fd::AsRawFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use gdprport_common::{EXE_PATH, EXE_UNKNOWN, EXE_WITHHELD, EnforceExe};
use gdprport_core::text::path_text;
use gdprport_tests::need;
use rustix::fs::{MemfdFlags, memfd_create};

use super::super::super::Sizes;
use super::super::Running;
use super::scene::{Scene, of_path};

/// What decisions know of a process, once it runs another file than this test.
fn known(scene: &Scene, pid: u32) -> EnforceExe {
    for _ in 0..2_000 {
        let task = scene.probes.task(pid);
        if let Some(task) = task.filter(|task| task.exec_id != 0) {
            return task.exe;
        }
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    panic!("the kernel side did not see what {pid} executed");
}

fn copy(program: &str, to: &Path) -> PathBuf {
    fs::copy(program, to).expect("copied");
    to.to_owned()
}

/// A shell that starts something and becomes it.
fn shell(script: &str) -> Running {
    Running::of(Command::new("/bin/sh").args(["-c", script]).stdin(Stdio::null()))
}

#[tokio::test]
async fn a_program_is_known_by_the_path_of_its_file() {
    let mut scene = need!(Scene::new(Sizes::default()));
    let fingerprint = scene.fingerprint();
    let dir = tempfile::tempdir().expect("a directory");
    let at = |name: &str| dir.path().join(name);
    let original = copy("/bin/sleep", &at("original"));
    let copied = copy("/bin/sleep", &at("copied"));
    std::os::unix::fs::symlink(&original, at("link")).expect("linked");
    fs::hard_link(&original, at("hard-link")).expect("linked");
    let mut deep = dir.path().to_owned();
    for _ in 0..60 {
        deep.push("directory");
    }
    fs::create_dir_all(&deep).expect("made");
    let deep = copy("/bin/sleep", &deep.join("sleep"));
    let mut nested = dir.path().to_owned();
    for _ in 0..15 {
        nested.push("directory");
    }
    fs::create_dir_all(&nested).expect("made");
    let nested = copy("/bin/sleep", &nested.join("sleep"));

    let run = |path: &Path| Running::start(path, Path::new("/"));
    for path in [&original, &copied, &at("link"), &at("hard-link"), &nested] {
        let process = run(path);
        let shown = fs::read_link(format!("/proc/{}/exe", process.0.id())).expect("it is alive");
        let shown = path_text(shown.as_os_str().as_bytes());
        assert_eq!(known(&scene, process.0.id()), of_path(fingerprint, &shown), "{}", path.display());
    }
    let of = |path: &Path| of_path(fingerprint, &path_text(path.as_os_str().as_bytes()));
    assert_eq!(known(&scene, run(&at("link")).0.id()), of(&original), "a link is what it leads to");
    assert_ne!(known(&scene, run(&copied).0.id()), of(&original), "a copy is another executable");
    assert_ne!(known(&scene, run(&at("hard-link")).0.id()), of(&original), "and so is another name");
    let too_long = EnforceExe { state: EXE_PATH, ..EnforceExe::default() };
    assert_eq!(known(&scene, run(&deep).0.id()), too_long, "one that no rule names in full");

    let (shell_copy, script) = (copy("/bin/sh", &at("shell")), at("script"));
    fs::write(&script, format!("#!{}\nread line\n", shell_copy.display())).expect("written");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("mine");
    let process = Running::of(Command::new(&script).stdin(Stdio::piped()));
    assert_eq!(known(&scene, process.0.id()), of(&shell_copy), "a script is its interpreter");

    // A file that is deleted before it runs has no path any more, but the one that it had.
    let deleted = copy("/bin/sleep", &at("deleted"));
    let open = fs::File::open(&deleted).expect("it is there");
    rustix::io::fcntl_setfd(&open, rustix::io::FdFlags::empty()).expect("mine");
    fs::remove_file(&deleted).expect("mine");
    let process = shell(&format!("exec /proc/self/fd/{} 60", open.as_raw_fd()));
    let exe = settled(&scene, process.0.id(), "/bin/sh");
    assert_eq!(exe, of(&deleted));

    // So has one in memory, by the name that it was given.
    let memory = memfd_create("psql", MemfdFlags::empty()).expect("a file in memory");
    let mut memory = fs::File::from(memory);
    memory.write_all(&fs::read("/bin/sleep").expect("readable")).expect("room");
    let process = shell(&format!("exec /proc/self/fd/{} 60", memory.as_raw_fd()));
    let exe = settled(&scene, process.0.id(), "/bin/sh");
    assert_eq!(exe, of_path(fingerprint, "/memfd:psql"));
}

/// What decisions know of a process once it does not run `shell` any more.
fn settled(scene: &Scene, pid: u32, shell: &str) -> EnforceExe {
    let shell = fs::canonicalize(shell).expect("it is there");
    for _ in 0..2_000 {
        let runs = fs::read_link(format!("/proc/{pid}/exe")).expect("it is alive");
        if runs != shell && !runs.starts_with("/proc/self") && !is_this(&runs) {
            return known(scene, pid);
        }
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    panic!("{pid} stays a shell");
}

fn is_this(path: &Path) -> bool {
    std::env::current_exe().is_ok_and(|this| this == path)
}

/// Where somebody else could have mounted the file, a path proves nothing.
#[tokio::test]
async fn mounts_of_another_user_namespace_prove_no_path() {
    let mut scene = need!(Scene::new(Sizes::default()));
    let fingerprint = scene.fingerprint();
    let process = shell("exec unshare --user --map-root-user --mount /bin/sleep 60");
    let exe = settled_as(&scene, process.0.id(), "sleep");
    assert_eq!(exe.state, EXE_UNKNOWN, "{exe:?}");
    let process = shell("exec unshare --mount /bin/sleep 60");
    let exe = settled_as(&scene, process.0.id(), "sleep");
    let sleep = fs::canonicalize("/bin/sleep").expect("it is there");
    assert_eq!(exe, of_path(fingerprint, &path_text(sleep.as_os_str().as_bytes())), "root's own mounts do");
    let dir = tempfile::tempdir().expect("a directory");
    copy("/bin/sleep", &dir.path().join("sleep"));
    let script = format!(
        "mount -t tmpfs none {0} && cp /bin/sleep {0}/sleep && exec 9<{0}/sleep && umount -l {0} && exec /proc/self/fd/9 60",
        dir.path().display()
    );
    let process = shell(&format!("exec unshare --mount /bin/sh -c '{script}'"));
    let exe = settled_as(&scene, process.0.id(), "9");
    assert!(exe.state == EXE_WITHHELD || exe.state == EXE_UNKNOWN, "a mount that is gone: {exe:?}");
}

/// What decisions know of a process once it is called so.
fn settled_as(scene: &Scene, pid: u32, comm: &str) -> EnforceExe {
    for _ in 0..4_000 {
        if fs::read_to_string(format!("/proc/{pid}/comm")).expect("it is alive").trim() == comm {
            return known(scene, pid);
        }
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    panic!("{pid} is never called {comm}");
}

/// Half of them run the declared file, half a copy of it.
#[tokio::test]
async fn processes_of_a_millisecond_are_decided_in_time() {
    let mut scene = need!(Scene::new(Sizes::default()));
    let dir = tempfile::tempdir().expect("a directory");
    let bash = fs::canonicalize("/bin/bash").expect("it is there");
    let copied = copy("/bin/bash", &dir.path().join("bash"));
    let rule = format!(
        "enforce = {{ on_unknown = \"deny\" }}\n[[port.allow]]\nrole = \"r\"\ndirection = \"out\"\npeers = \
         [\"127.0.0.1\"]\nprocess = {{ exe = \"{}\" }}\n",
        bash.display()
    );
    let text = scene.policy("enforce", &rule);
    let tables = scene.tables(&text, &[]);
    scene.enforce(tables);
    let script = format!("exec 3<>/dev/tcp/127.0.0.1/{}", scene.port);
    let mut wrong = Vec::new();
    const EACH: u32 = 150;
    for number in 0..EACH {
        for (program, declared) in [(&bash, true), (&copied, false)] {
            let mut command = Command::new(program);
            let status = command.args(["-c", &script]).stdin(Stdio::null()).stderr(Stdio::null()).status();
            if status.expect("it runs").success() != declared {
                wrong.push((number, declared));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
    let tally = scene.decisions();
    assert_eq!((tally.allowed, tally.denied, tally.asked), (EACH.into(), EACH.into(), u64::from(2 * EACH)));
}
