//! What the loaded kernel side reads, compared with what `/proc` shows.

mod enforce;
mod overload;

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use gdprport_core::decode::{IdentityRecord, Record, decode};
use gdprport_core::executed::ExecutedFile;
use gdprport_core::text::path_text;
use gdprport_tests::need;
use gdprport_tests::skip::Missing;
use zerocopy::IntoBytes as _;

use super::Probes;
use super::load::Sizes;
use crate::host::process::Roots;

/// A process that ends with the test.
struct Running(Child);

impl Running {
    fn start(program: &Path, from: &Path) -> Self {
        Self::of(Command::new(program).arg("60").current_dir(from).stdin(Stdio::null()).stdout(Stdio::null()))
    }

    fn of(command: &mut Command) -> Self {
        let program = command.get_program().to_owned();
        for _ in 0..1000 {
            match command.spawn() {
                Ok(child) => return Self(child),
                // A child of another test still has the descriptor it was written through.
                Err(error) if error.kind() == std::io::ErrorKind::ExecutableFileBusy => {
                    std::thread::sleep(std::time::Duration::from_millis(1));
                }
                Err(error) => panic!("{program:?}: {error}"),
            }
        }
        panic!("{program:?} stays busy");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Names of files and directories that are hard to read.
fn names() -> Vec<OsString> {
    let mut names: Vec<OsString> =
        ["x", "with blank", "tab\tline\nend", r"back\slash", "quo'te", "é漢", ".hidden", "(deleted)"]
            .map(OsString::from)
            .into();
    names.push(OsString::from_vec(b"no\xfftext".to_vec()));
    names.push("n".repeat(255).into());
    names
}

/// Also where it was executed by a relative name, through a link, by a script, and under every depth of directories.
#[tokio::test]
async fn the_kernels_path_is_the_one_that_proc_shows() {
    let root = rustix::process::geteuid() == rustix::process::Uid::ROOT;
    need!(root.then_some(()).ok_or_else(|| Missing::of("root")));
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").expect("readable");
    let cgroup2 = Roots::discover().expect("/proc is mounted").cgroups.cgroup2;
    let (probes, _ring) = Probes::load(Sizes::default(), release.trim(), cgroup2, None).expect("it loads");
    let dir = tempfile::tempdir().expect("a directory");
    let mut running = Vec::new();
    for (number, name) in names().iter().enumerate() {
        let mut place = dir.path().to_owned();
        for _ in 0..number % 3 {
            place.push(number.to_string());
            if name.len() < 100 {
                place.push(name);
            }
        }
        fs::create_dir_all(&place).expect("directories");
        let program = place.join(name);
        fs::copy("/bin/sleep", &program).expect("copy");
        running.push(Running::start(&program, Path::new("/")));
        running.push(Running::start(&Path::new(".").join(name), &place));
        let link = dir.path().join(format!("link-{number}"));
        std::os::unix::fs::symlink(&program, &link).expect("link");
        running.push(Running::start(&link, Path::new("/")));
    }
    let mut deep = dir.path().to_owned();
    for depth in 0..100 {
        deep.push("d");
        fs::create_dir(&deep).expect("directory");
        if depth % 9 == 0 {
            fs::copy("/bin/sleep", deep.join("s")).expect("copy");
            running.push(Running::start(&deep.join("s"), Path::new("/")));
        }
    }
    for program in ["/bin/sleep", "/usr/bin/sleep"] {
        running.push(Running::start(Path::new(program), Path::new("/")));
    }
    for process in &running {
        let pid = process.0.id();
        // `spawn` returns a moment before the tracepoint.
        let seen = (0..2_000).find_map(|_| {
            let record = probes.task(pid).and_then(|task| probes.exec(task.exec_id));
            record.or_else(|| {
                std::thread::sleep(std::time::Duration::from_millis(1));
                None
            })
        });
        let record = seen.expect("the kernel side saw what it executed");
        let Ok(Record::Identity(IdentityRecord::Exec(exec))) = decode(record.as_bytes()) else {
            panic!("not an executable: {record:?}")
        };
        let shown = fs::read_link(format!("/proc/{pid}/exe")).expect("it is alive");
        let text = path_text(OsStr::as_bytes(shown.as_os_str()));
        assert_eq!(exec.file.proves(), ExecutedFile::Proven(text.into()), "{}", shown.display());
        let file = fs::metadata(format!("/proc/{pid}/exe")).expect("it is alive");
        assert_eq!(exec.file.inode, file.ino(), "{}", shown.display());
    }
    assert!(running.len() > 40);
}
