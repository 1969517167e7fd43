//! Driving the `puppet` program: a real process, with an executable, user, cgroup and network namespace of the test's
//! choice, that does with sockets what its commands ask for.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

use crate::child::{Child, Place};
use crate::temp::{TempDir, set_mode};
use crate::wait::{self, TIMEOUT};

/// A program of this package, in a directory of its own under a name of the test's choice.
#[derive(Debug)]
pub struct ProgramCopy {
    dir: TempDir,
    name: String,
}

impl ProgramCopy {
    /// Copies the program `of` of this package as `name`.
    ///
    /// # Panics
    /// When it was not built or cannot be copied.
    #[must_use]
    pub fn new(of: &str, name: &str) -> Self {
        Self::of(&built(of), name)
    }

    /// Copies this program as `name`.
    ///
    /// # Panics
    /// When it cannot be copied.
    #[must_use]
    pub fn of(program: &Path, name: &str) -> Self {
        let dir = TempDir::new();
        let to = dir.join(name);
        // By another process: a descriptor open for writing, inherited by a fork of a parallel test, would make
        // exec fail with ETXTBSY.
        let done = Command::new("cp").arg(program).arg(&to).status().expect("cp can be run");
        assert!(done.success(), "cannot copy {}", program.display());
        set_mode(&to, 0o755);
        Self { dir, name: name.to_owned() }
    }

    /// Its absolute path, without symbolic links, as events must report it.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        real(&self.dir.join(&self.name))
    }
}

/// What events must report as the executable of a process that runs this file of the host in mounts of its own: the path,
/// or nothing on overlayfs, which the emulated hosts run on, as `stat` does not show the file's device and inode there.
///
/// # Panics
/// When nothing is there.
#[must_use]
pub fn proven_in_own_mounts(path: &Path) -> Option<String> {
    /// `OVERLAYFS_SUPER_MAGIC` (include/uapi/linux/magic.h).
    const OVERLAYFS: rustix::fs::FsWord = 0x794c_7630;
    let on_overlay = rustix::fs::statfs(path).expect("the file is there").f_type == OVERLAYFS;
    (!on_overlay).then(|| path.to_string_lossy().into_owned())
}

/// The path without symbolic links.
///
/// # Panics
/// When nothing is there.
#[must_use]
pub fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|e| panic!("cannot resolve {}: {e}", path.display()))
}

/// The path of the program `name` of this workspace: beside the directory of the test's own binary.
///
/// # Panics
/// When it is not there.
#[must_use]
pub fn built(name: &str) -> PathBuf {
    let own = std::env::current_exe().expect("a test knows its own path");
    let path = own.parent().and_then(Path::parent).expect("tests lie in target/PROFILE/deps").join(name);
    assert!(path.exists(), "{} was not built; run `cargo xtask test`, which builds it", path.display());
    path
}

/// A connection that a puppet holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeldStream {
    /// The puppet's number for it.
    pub id: u32,
    /// The local address after a connect or take, the peer's after an accept.
    pub address: SocketAddr,
}

/// A running puppet.
#[derive(Debug)]
pub struct Puppet {
    child: Child,
    stdin: ChildStdin,
    replies: Receiver<String>,
    exe: PathBuf,
    _copy: Option<ProgramCopy>,
}

impl Puppet {
    /// Starts one here, as ourselves.
    #[must_use]
    pub fn new() -> Self {
        Self::at(Place::default())
    }

    /// Starts one at `place`, as a copy of its own, which any user may execute.
    #[must_use]
    pub fn at(place: Place<'_>) -> Self {
        let copy = ProgramCopy::new("puppet", "puppet");
        let mut new = Self::run(&copy.path(), place);
        new._copy = Some(copy);
        new
    }

    /// Starts the program at `exe`, a copy of the puppet, at `place`.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn run(exe: &Path, place: Place<'_>) -> Self {
        let mut command = Command::new(exe);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = Child::start(command, place);
        let stdin = child.pipes().stdin.take().expect("stdin is piped");
        let stdout = child.pipes().stdout.take().expect("stdout is piped");
        let (sender, replies) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Self { child, stdin, replies, exe: exe.to_owned(), _copy: None }
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// Its executable's absolute path.
    #[must_use]
    pub fn exe(&self) -> &Path {
        &self.exe
    }

    /// Sends a command without waiting for the reply.
    ///
    /// # Panics
    /// When the puppet has ended.
    #[track_caller]
    pub fn send(&mut self, command: &str) {
        self.stdin.write_all(format!("{command}\n").as_bytes()).expect("the puppet still reads its commands");
    }

    /// Waits for the reply to the oldest command that has none yet.
    ///
    /// # Panics
    /// When it is an error or does not come.
    #[track_caller]
    pub fn reply(&mut self) -> String {
        let line = self.replies.recv_timeout(TIMEOUT).expect("the puppet replies");
        match line.strip_prefix("ok") {
            Some(text) => text.trim().to_owned(),
            None => panic!("the puppet reports: {line}"),
        }
    }

    /// Sends a command and returns its reply.
    #[track_caller]
    pub fn ask(&mut self, command: &str) -> String {
        self.send(command);
        self.reply()
    }

    /// Listens at `at`, for example `127.0.0.1:10000` or `[::]:10000`.
    #[track_caller]
    pub fn listen(&mut self, at: impl std::fmt::Display) {
        self.ask(&format!("listen {at}"));
    }

    /// Connects to `to`.
    #[track_caller]
    pub fn connect(&mut self, to: impl std::fmt::Display) -> HeldStream {
        held(&self.ask(&format!("connect {to}")))
    }

    /// Accepts one connection, asking for the peer's address.
    #[track_caller]
    pub fn accept(&mut self) -> HeldStream {
        held(&self.ask("accept"))
    }

    /// Accepts by `how`: `accept`, `accept-null`, `accept-uring`, or takes a descriptor by `take PATH`.
    #[track_caller]
    pub fn hold(&mut self, how: &str) -> HeldStream {
        held(&self.ask(how))
    }

    /// Closes a connection.
    #[track_caller]
    pub fn close(&mut self, held: HeldStream) {
        self.ask(&format!("close {}", held.id));
    }

    /// Becomes, by `how`, the program at `exe`, a copy of the puppet, which goes on reading the same commands.
    #[track_caller]
    pub fn become_program(&mut self, how: &str, exe: &Path) {
        self.ask(&format!("{how} {}", exe.display()));
        self.exe = exe.to_owned();
    }

    /// Kills it now, with all that it holds.
    pub fn kill(self) {
        drop(self);
    }
}

impl Default for Puppet {
    fn default() -> Self {
        Self::new()
    }
}

/// Reads the reply to a command that made a connection.
///
/// # Panics
/// When it is not one.
#[must_use]
pub fn held(reply: &str) -> HeldStream {
    let (id, address) = reply.split_once(' ').expect("a number and an address");
    HeldStream { id: id.parse().expect("a number"), address: address.parse().expect("an address") }
}

/// Lets `from` give what it calls `what` to `to`, which takes it by `how`; returns the taker's reply.
///
/// # Panics
/// When it is not taken.
#[track_caller]
pub fn give(dir: &TempDir, from: &mut Puppet, what: &str, to: &mut Puppet, how: &str) -> String {
    let path = dir.join(format!("passing-{what}"));
    to.send(&format!("{how} {}", path.display()));
    wait::until("the taker listens", || path.exists());
    from.ask(&format!("give {} {what}", path.display()));
    to.reply()
}
