//! What decisions know of real programs, and processes that live a millisecond.

use std::fs;
use std::io::Write as _;
use std::os::fd::AsRawFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use gdprport_common::{EXE_PATH, EXE_UNKNOWN, EnforceExe};
use gdprport_core::text::path_text;
use gdprport_tests::need;
use rustix::fs::{MemfdFlags, memfd_create};

use super::super::super::Sizes;
use super::super::Running;
use super::scene::{Scene, of_path};

/// Waits until that is what decisions know of a process: it may run something else first, and what `/proc` shows changes a moment
/// before.
fn becomes(scene: &Scene, process: &Running, what: &str, wanted: impl Fn(EnforceExe) -> bool) {
    let pid = process.0.id();
    let mut last = None;
    for _ in 0..10_000 {
        last = scene.probes.task(pid);
        if last.is_some_and(|task| task.exec_id != 0 && wanted(task.exe)) {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    let runs = fs::read_link(format!("/proc/{pid}/exe"));
    panic!("{what}: {pid} runs {runs:?} and is known as {last:?}");
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
    let of = |path: &Path| of_path(fingerprint, &path_text(path.as_os_str().as_bytes()));
    for (path, file, what) in [
        (&original, &original, "a file"),
        (&copied, &copied, "a copy is another executable"),
        (&at("hard-link"), &at("hard-link"), "and so is another name"),
        (&at("link"), &original, "a link is what it leads to"),
        (&nested, &nested, "a long path"),
    ] {
        becomes(&scene, &run(path), what, |exe| exe == of(file));
    }
    let too_long = EnforceExe { state: EXE_PATH, ..EnforceExe::default() };
    becomes(&scene, &run(&deep), "a path that no rule names in full", |exe| exe == too_long);

    let (shell_copy, script) = (copy("/bin/sh", &at("shell")), at("script"));
    fs::write(&script, format!("#!{}\nread line\n", shell_copy.display())).expect("written");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("mine");
    let process = Running::of(Command::new(&script).stdin(Stdio::piped()));
    becomes(&scene, &process, "a script is its interpreter", |exe| exe == of(&shell_copy));

    // A file that is deleted before it runs has no path any more, but the one that it had.
    let deleted = copy("/bin/sleep", &at("deleted"));
    let open = fs::File::open(&deleted).expect("it is there");
    rustix::io::fcntl_setfd(&open, rustix::io::FdFlags::empty()).expect("mine");
    fs::remove_file(&deleted).expect("mine");
    let process = shell(&format!("exec /proc/self/fd/{} 60", open.as_raw_fd()));
    becomes(&scene, &process, "a deleted file", |exe| exe == of(&deleted));

    // So has one in memory, by the name that it was given.
    let memory = memfd_create("psql", MemfdFlags::empty()).expect("a file in memory");
    let mut memory = fs::File::from(memory);
    memory.write_all(&fs::read("/bin/sleep").expect("readable")).expect("room");
    let process = shell(&format!("exec /proc/self/fd/{} 60", memory.as_raw_fd()));
    becomes(&scene, &process, "a file in memory", |exe| exe == of_path(fingerprint, "/memfd:psql"));
}

/// Where somebody else could have mounted the file, a path proves nothing.
#[tokio::test]
async fn mounts_of_another_user_namespace_prove_no_path() {
    let mut scene = need!(Scene::new(Sizes::default()));
    let fingerprint = scene.fingerprint();
    let process = shell("exec unshare --user --map-root-user --mount /bin/sleep 60");
    becomes(&scene, &process, "a user's own mounts", |exe| exe.state == EXE_UNKNOWN);
    let process = shell("exec unshare --mount /bin/sleep 60");
    let sleep = fs::canonicalize("/bin/sleep").expect("it is there");
    let sleep = of_path(fingerprint, &path_text(sleep.as_os_str().as_bytes()));
    becomes(&scene, &process, "root's own mounts", |exe| exe == sleep);
    let dir = tempfile::tempdir().expect("a directory");
    copy("/bin/sleep", &dir.path().join("sleep"));
    let script = format!(
        "mount -t tmpfs none {0} && cp /bin/sleep {0}/sleep && exec 9<{0}/sleep && umount -l {0} && exec /proc/self/fd/9 60",
        dir.path().display()
    );
    let process = shell(&format!("exec unshare --mount /bin/sh -c '{script}'"));
    becomes(&scene, &process, "a mount that is gone", |exe| exe.state == EXE_UNKNOWN);
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
    scene.enforce(&tables);
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
