//! One run of a machine: started, read from, ended. Everything in it is emulated, so it needs no hardware support for
//! virtual machines, and is some twenty times slower than the host.

use std::fmt;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{self, Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use super::cpio;
use super::kernel::Kernel;
use super::tools::Tools;
use crate::sh;
use crate::step::{note, short};

/// Longest time from the start to [`UP`]: 5 s are usual.
const BOOT_LIMIT: Duration = Duration::from_secs(90);

/// How often a machine that does not come up is started. More than one boot is reported.
const BOOTS: u32 = 3;

/// How long the server of the shared folder may take to listen.
const SHARE_LIMIT: Duration = Duration::from_secs(10);

/// Longest time to end after the command has.
const GRACE: Duration = Duration::from_secs(30);

/// What a machine prints before the command begins.
const UP: &str = "gdprport-vm: up";

/// How much of the console is shown when a machine dies.
const CONSOLE_LINES: usize = 15;

/// What to run in a machine.
#[derive(Debug)]
pub(super) struct Run {
    /// Names what is kept of it; no two at a time with the same kernel may have the same.
    pub(super) name: String,
    /// For bash.
    pub(super) script: String,
    /// On this host and so in the machine.
    pub(super) directory: PathBuf,
    pub(super) limit: Duration,
    /// Whether systemd is the first process, with the command as its only service.
    pub(super) systemd: bool,
    /// A folder of this host that lies over its root in the machine, as [`super::runtimes`] makes one.
    pub(super) layer: Option<PathBuf>,
    pub(super) pace: Pace,
}

/// How a machine's time passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// As the host's, on two processors in turn, so that races between them can show.
    Real,
    /// A nanosecond an instruction, on one processor, so that time is a count of instructions.
    Counted,
}

impl Pace {
    const fn arguments(self) -> &'static [&'static str] {
        match self {
            // Both processors in one thread of the emulator, in turn. With a thread for each it may run an instruction
            // that the kernel has just replaced (a breakpoint while code is patched, as an fexit program does when it
            // is attached), and the machine dies of that.
            Self::Real => &["-accel", "tcg,thread=single", "-smp", "2"],
            Self::Counted => &["-accel", "tcg,thread=single", "-smp", "1", "-icount", "shift=0,sleep=off"],
        }
    }
}

/// The first process of a machine where that is asked for: this host's, from the package systemd.
const SYSTEMD: &str = "/usr/lib/systemd/systemd";

/// The tags of the shared folders: this host's root, and what lies over it.
const HOST: &str = "host";
const LAYER: &str = "layer";

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    /// How often the machine was started.
    pub(crate) boots: u32,
}

/// How a command in a machine ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ExitStatus {
    Exited(i32),
    /// Still running after this time.
    TimeLimit(Duration),
    /// The machine ended first; with the end of its console.
    Died(String),
}

impl ExitStatus {
    pub(crate) const fn is_success(&self) -> bool {
        matches!(self, Self::Exited(0))
    }
}

impl fmt::Display for ExitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(status) => write!(f, "exit status {status}"),
            Self::TimeLimit(limit) => write!(f, "not done within {}", short(*limit)),
            Self::Died(console) => write!(f, "the machine ended without a status; its console:\n{console}"),
        }
    }
}

/// `, 2 boots`, if there was more than one.
pub(super) fn retries(boots: u32) -> String {
    if boots > 1 { format!(", {boots} boots") } else { String::new() }
}

/// Arguments, quoted for bash.
pub(super) fn quoted(words: &[String]) -> String {
    let quote = |word: &String| format!("'{}'", word.replace('\'', r"'\''"));
    words.iter().map(quote).collect::<Vec<_>>().join(" ")
}

/// A kernel and what it takes to run it.
#[derive(Debug)]
pub(super) struct Machine<'a> {
    kernel: &'a Kernel,
    tools: &'a Tools,
}

impl<'a> Machine<'a> {
    pub(super) const fn new(kernel: &'a Kernel, tools: &'a Tools) -> Self {
        Self { kernel, tools }
    }

    /// Boots, runs, and passes on each line that the command prints.
    ///
    /// # Errors
    /// The emulator cannot be run, or no boot succeeded.
    pub(super) fn run(&self, run: &Run, mut line: impl FnMut(&str)) -> Result<Ended> {
        for boots in 1..=BOOTS {
            if let Some(status) = self.attempt(run, &mut line)? {
                return Ok(Ended { status, boots });
            }
            note(format_args!("Linux {} did not come up (boot {boots} of {BOOTS})", self.kernel.release));
        }
        bail!(
            "Linux {} did not boot; its console is in {}",
            self.kernel.release,
            self.console(run).display()
        );
    }

    /// One boot; `None` if it failed before the command began.
    fn attempt(&self, run: &Run, line: &mut impl FnMut(&str)) -> Result<Option<ExitStatus>> {
        let folder = RunFolder::new(self.kernel, run)?;
        fs::write(folder.join("initial"), self.initial(run)?)
            .context("cannot write the initial file system")?;
        let seconds = (BOOT_LIMIT + run.limit + GRACE).as_secs();
        // The layer has a server of its own: overlayfs refuses one layer that lies in another.
        let shared = [(HOST, Some(Path::new("/"))), (LAYER, run.layer.as_deref())];
        let shared = shared.into_iter().filter_map(|(tag, dir)| Some((tag, dir?)));
        let mut emulator = self.emulator(&folder, seconds, run)?;
        let mut shares = Vec::new();
        for (tag, dir) in shared {
            let socket = folder.join(tag);
            let mut share = Program::start(&mut self.share(&socket, dir, seconds)?)?;
            wait_for(&socket, &mut share)?;
            shares.push(share);
            emulator
                .args(["-chardev", &format!("socket,id={tag},path={}", socket.display())])
                .args(["-device", &format!("vhost-user-fs-pci,chardev={tag},tag={tag}")]);
        }
        let mut emulator = Program::start(emulator.stdout(Stdio::piped()))?;
        let lines = read_lines(&mut emulator.child);

        let start = Instant::now();
        match lines.recv_timeout(BOOT_LIMIT) {
            Ok(first) if first == UP => {}
            _ => return Ok(None),
        }
        note(format_args!("Linux {} is up after {}", self.kernel.release, short(start.elapsed())));
        let end = Instant::now() + run.limit;
        loop {
            match lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(output) => line(&output),
                Err(RecvTimeoutError::Timeout) => return Ok(Some(ExitStatus::TimeLimit(run.limit))),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        emulator.child.wait().context("cannot wait for the emulator")?;
        let status = fs::read_to_string(folder.join("status")).unwrap_or_default();
        Ok(Some(match status.trim().parse() {
            Ok(status) => ExitStatus::Exited(status),
            Err(_) => ExitStatus::Died(last_lines(&self.console(run))),
        }))
    }

    /// The kernel's file system, and this run's files in an archive behind it.
    fn initial(&self, run: &Run) -> Result<Vec<u8>> {
        let mut archive = cpio::CpioArchive::default();
        let path = |path: &Path| quoted(&[path.display().to_string()]);
        let settings = format!(
            "MODULES={}\nLIBRARIES={}\nKMOD={}\nSYSTEMD={}\nLAYER={}\n",
            path(&self.kernel.modules),
            path(Path::new(&self.tools.libraries())),
            path(&self.tools.find("kmod")?),
            if run.systemd { SYSTEMD } else { "" },
            if run.layer.is_some() { LAYER } else { "" },
        );
        archive.file("settings", settings.as_bytes());
        archive.file("command", format!("cd {}\n{}\n", path(&run.directory), run.script).as_bytes());
        let mut initial = self.kernel.initial.clone();
        initial.extend(archive.finish());
        Ok(initial)
    }

    /// A folder of this host for the machine.
    fn share(&self, socket: &Path, dir: &Path, seconds: u64) -> Result<Command> {
        let log = fs::File::create(socket.with_extension("log")).context("cannot write a log")?;
        let mut share = self.tools.as_root_for(seconds, self.tools.share())?;
        share
            .arg(format!("--socket-path={}", socket.display()))
            .args(["-o", &format!("source={}", dir.display())])
            .args(["-o", "cache=always", "-o", "sandbox=chroot"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        Ok(share)
    }

    fn emulator(&self, folder: &RunFolder, seconds: u64, run: &Run) -> Result<Command> {
        let at = |name: &str| folder.join(name).display().to_string();
        let mut qemu = self.tools.as_root_for(seconds, &self.tools.find("qemu-system-x86_64")?)?;
        for dir in self.tools.firmware() {
            qemu.arg("-L").arg(dir);
        }
        qemu.args(["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"])
            .args(["-machine", "q35,memory-backend=memory", "-cpu", "max"])
            .args(run.pace.arguments())
            // The tmpfs layer holds the tests' files.
            .args(["-m", "2048"])
            .args(["-object", "memory-backend-memfd,id=memory,size=2048M,share=on"])
            // Not `stdio`: at the end of its input that closes the port.
            .args(["-device", "virtio-serial", "-chardev", "file,id=output,path=/dev/stdout,append=on"])
            .args(["-device", "virtserialport,chardev=output,nr=1"])
            .args(["-chardev", &format!("file,id=status,path={}", at("status"))])
            .args(["-device", "virtserialport,chardev=status,nr=2"])
            .args(["-serial", &format!("file:{}", self.console(run).display())])
            .arg("-kernel")
            .arg(&self.kernel.image)
            .args(["-initrd", &at("initial")])
            .args(["-append", "console=ttyS0 panic=-1 quiet mitigations=off"])
            .stdin(Stdio::null());
        Ok(qemu)
    }

    /// The kernel's output; kept until the next run.
    fn console(&self, run: &Run) -> PathBuf {
        self.kernel.image.with_file_name(format!("console-{}.log", run.name))
    }
}

/// A folder for one run; removed on drop.
struct RunFolder {
    dir: PathBuf,
}

impl RunFolder {
    fn new(kernel: &Kernel, run: &Run) -> Result<Self> {
        let dir = kernel.image.with_file_name(format!("run.{}.{}", process::id(), run.name));
        fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
        Ok(Self { dir })
    }

    fn join(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }
}

impl Drop for RunFolder {
    fn drop(&mut self) {
        // Left behind it is only a few megabytes in the build's folder.
        let _gone = fs::remove_dir_all(&self.dir);
    }
}

/// A running program; ended on drop.
struct Program {
    child: Child,
}

impl Program {
    fn start(command: &mut Command) -> Result<Self> {
        let child = command.spawn().with_context(|| format!("cannot run `{}`", sh::shown(command)))?;
        Ok(Self { child })
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            return;
        }
        // A signal that may be caught, so that sudo and `timeout` pass it on.
        let ended = sh::as_root("kill").and_then(|mut kill| sh::quiet(kill.arg(self.child.id().to_string())));
        if ended.is_ok() {
            let _status = self.child.wait();
        }
    }
}

fn wait_for(socket: &Path, share: &mut Program) -> Result<()> {
    let start = Instant::now();
    while !socket.exists() {
        if let Ok(Some(status)) = share.child.try_wait() {
            let log = fs::read_to_string(socket.with_extension("log")).unwrap_or_default();
            bail!("the server of the shared folder ended ({status}): {}", log.trim());
        }
        if start.elapsed() > SHARE_LIMIT {
            bail!("the server of the shared folder does not listen");
        }
        thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// Reads a program's output on a thread of its own, so that waiting for it can time out.
fn read_lines(child: &mut Child) -> Receiver<String> {
    let stdout = child.stdout.take().expect("is piped");
    let (sender, lines) = channel();
    thread::spawn(move || {
        for line in BufReader::new(stdout).split(b'\n').map_while(Result::ok) {
            if sender.send(String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned()).is_err() {
                return;
            }
        }
    });
    lines
}

fn last_lines(console: &Path) -> String {
    let bytes = fs::read(console).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(CONSOLE_LINES)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn quoted_words_reach_the_shell_unchanged() {
        let words = ["echo", "it's", "$HOME \"x\"", ""].map(str::to_owned);
        assert_eq!(quoted(&words), r#"'echo' 'it'\''s' '$HOME "x"' ''"#);
    }
}
