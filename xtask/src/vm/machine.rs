//! One run of a machine: started, listened to, ended. Everything in it is emulated, so it runs where hardware
//! support for virtual machines does not, some twenty times slower than the host.

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

/// Longest time from the start to the first sign of life: 5 s are usual.
const BOOT_LIMIT: Duration = Duration::from_secs(90);

/// How often a machine that shows no sign of life is started. More than one is counted and told.
const BOOTS: u32 = 3;

/// How long the server of the shared folder may take to listen.
const SHARE_LIMIT: Duration = Duration::from_secs(10);

/// Longest time to end after the command has.
const GRACE: Duration = Duration::from_secs(30);

/// What a machine says before the command begins.
const UP: &str = "gdprport-vm: up";

/// Of the console, this much is shown when a machine dies.
const CONSOLE_LINES: usize = 15;

/// What to run in a machine.
#[derive(Debug)]
pub struct Run {
    /// A text for bash.
    pub script: String,
    /// Where, on this host and so in the machine.
    pub directory: PathBuf,
    /// How long it may take.
    pub limit: Duration,
    /// Whether systemd is the first process, with the command as its only service.
    pub systemd: bool,
    /// How its time passes.
    pub pace: Pace,
}

/// How a machine's time passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
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

/// How a run ended.
#[derive(Debug)]
pub struct Ended {
    /// The command's end.
    pub status: Status,
    /// How often the machine was started.
    pub boots: u32,
}

/// The end of a command in a machine.
#[derive(Debug, PartialEq, Eq)]
pub enum Status {
    /// With this status.
    Exited(i32),
    /// Not within the time.
    TimeLimit(Duration),
    /// The machine ended first; with its last words.
    Died(String),
}

impl Status {
    /// Whether the command succeeded.
    #[must_use]
    pub const fn is_success(&self) -> bool {
        matches!(self, Self::Exited(0))
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(status) => write!(f, "exit status {status}"),
            Self::TimeLimit(limit) => write!(f, "not done within {}", short(*limit)),
            Self::Died(words) => write!(f, "the machine ended without a status; its console says:\n{words}"),
        }
    }
}

/// `, 2 boots`, if there was more than one.
#[must_use]
pub fn retries(boots: u32) -> String {
    if boots > 1 { format!(", {boots} boots") } else { String::new() }
}

/// Words as bash reads them back.
#[must_use]
pub fn quoted(words: &[String]) -> String {
    let quote = |word: &String| format!("'{}'", word.replace('\'', r"'\''"));
    words.iter().map(quote).collect::<Vec<_>>().join(" ")
}

/// A kernel and what it takes to run it.
#[derive(Debug)]
pub struct Machine<'a> {
    kernel: &'a Kernel,
    tools: &'a Tools,
}

impl<'a> Machine<'a> {
    /// A machine with this kernel.
    #[must_use]
    pub const fn new(kernel: &'a Kernel, tools: &'a Tools) -> Self {
        Self { kernel, tools }
    }

    /// Boots, runs, and hands out each line that the command says.
    ///
    /// # Errors
    /// The emulator cannot be run, or no boot succeeded.
    pub fn run(&self, run: &Run, mut line: impl FnMut(&str)) -> Result<Ended> {
        for boots in 1..=BOOTS {
            if let Some(status) = self.attempt(run, &mut line)? {
                return Ok(Ended { status, boots });
            }
            note(format_args!(
                "Linux {} showed no sign of life (boot {boots} of {BOOTS})",
                self.kernel.release
            ));
        }
        bail!("Linux {} did not boot; its console is in {}", self.kernel.release, self.console().display());
    }

    /// One boot; `None` if it failed before the command began.
    fn attempt(&self, run: &Run, line: &mut impl FnMut(&str)) -> Result<Option<Status>> {
        let place = Place::new(self.kernel)?;
        fs::write(place.join("initial"), self.initial(run)?)
            .context("cannot write the initial file system")?;
        let seconds = (BOOT_LIMIT + run.limit + GRACE).as_secs();
        let mut share = Started::new(&mut self.share(&place, seconds)?)?;
        wait_for(&place.join("share"), &mut share)?;
        let mut emulator = Started::new(self.emulator(&place, seconds, run.pace)?.stdout(Stdio::piped()))?;
        let lines = read_lines(&mut emulator.child);

        let begun = Instant::now();
        match lines.recv_timeout(BOOT_LIMIT) {
            Ok(first) if first == UP => {}
            _ => return Ok(None),
        }
        note(format_args!("Linux {} is up after {}", self.kernel.release, short(begun.elapsed())));
        let end = Instant::now() + run.limit;
        loop {
            match lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(said) => line(&said),
                Err(RecvTimeoutError::Timeout) => return Ok(Some(Status::TimeLimit(run.limit))),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        emulator.child.wait().context("cannot wait for the emulator")?;
        let status = fs::read_to_string(place.join("status")).unwrap_or_default();
        Ok(Some(match status.trim().parse() {
            Ok(status) => Status::Exited(status),
            Err(_) => Status::Died(last_lines(&self.console())),
        }))
    }

    /// The kernel's file system, and this run's files in an archive behind it.
    fn initial(&self, run: &Run) -> Result<Vec<u8>> {
        let mut archive = cpio::Archive::default();
        let words = |path: &Path| quoted(&[path.display().to_string()]);
        let settings = format!(
            "MODULES={}\nLIBRARIES={}\nKMOD={}\nSYSTEMD={}\n",
            words(&self.kernel.modules),
            words(Path::new(&self.tools.libraries())),
            words(&self.tools.find("kmod")?),
            if run.systemd { SYSTEMD } else { "" },
        );
        archive.file("settings", settings.as_bytes());
        archive.file("command", format!("cd {}\n{}\n", words(&run.directory), run.script).as_bytes());
        let mut initial = self.kernel.initial.clone();
        initial.extend(archive.finish());
        Ok(initial)
    }

    /// This host's root for the machine.
    fn share(&self, place: &Place, seconds: u64) -> Result<Command> {
        let log = fs::File::create(place.join("share.log")).context("cannot write a log")?;
        let mut share = self.tools.as_root_for(seconds, self.tools.share())?;
        share
            .arg(format!("--socket-path={}", place.join("share").display()))
            .args(["-o", "source=/", "-o", "cache=always", "-o", "sandbox=chroot"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        Ok(share)
    }

    fn emulator(&self, place: &Place, seconds: u64, pace: Pace) -> Result<Command> {
        let at = |name: &str| place.join(name).display().to_string();
        let mut qemu = self.tools.as_root_for(seconds, &self.tools.find("qemu-system-x86_64")?)?;
        for dir in self.tools.firmware() {
            qemu.arg("-L").arg(dir);
        }
        qemu.args(["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"])
            .args(["-machine", "q35,memory-backend=memory", "-cpu", "max"])
            .args(pace.arguments())
            // The layer of memory holds the tests' files.
            .args(["-m", "2048"])
            .args(["-object", "memory-backend-memfd,id=memory,size=2048M,share=on"])
            .args(["-chardev", &format!("socket,id=share,path={}", at("share"))])
            .args(["-device", "vhost-user-fs-pci,chardev=share,tag=host"])
            // Not `stdio`: at the end of its input that closes the port.
            .args(["-device", "virtio-serial", "-chardev", "file,id=said,path=/dev/stdout,append=on"])
            .args(["-device", "virtserialport,chardev=said,nr=1"])
            .args(["-chardev", &format!("file,id=status,path={}", at("status"))])
            .args(["-device", "virtserialport,chardev=status,nr=2"])
            .args(["-serial", &format!("file:{}", self.console().display())])
            .arg("-kernel")
            .arg(&self.kernel.image)
            .args(["-initrd", &at("initial")])
            .args(["-append", "console=ttyS0 panic=-1 quiet mitigations=off"])
            .stdin(Stdio::null());
        Ok(qemu)
    }

    /// What the kernel says; kept until the next run.
    fn console(&self) -> PathBuf {
        self.kernel.image.with_file_name("console.log")
    }
}

/// A folder for one run, gone afterwards.
struct Place {
    dir: PathBuf,
}

impl Place {
    fn new(kernel: &Kernel) -> Result<Self> {
        let dir = kernel.image.with_file_name(format!("run.{}", process::id()));
        fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
        Ok(Self { dir })
    }

    fn join(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // Left behind it is only a few megabytes in the build's folder.
        let _gone = fs::remove_dir_all(&self.dir);
    }
}

/// A program that ends at the latest when this is dropped.
struct Started {
    child: Child,
}

impl Started {
    fn new(command: &mut Command) -> Result<Self> {
        let child = command.spawn().with_context(|| format!("cannot run `{}`", sh::shown(command)))?;
        Ok(Self { child })
    }
}

impl Drop for Started {
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

fn wait_for(socket: &Path, share: &mut Started) -> Result<()> {
    let begun = Instant::now();
    while !socket.exists() {
        if let Ok(Some(status)) = share.child.try_wait() {
            let log = fs::read_to_string(socket.with_extension("log")).unwrap_or_default();
            bail!("the server of the shared folder ended ({status}): {}", log.trim());
        }
        if begun.elapsed() > SHARE_LIMIT {
            bail!("the server of the shared folder does not listen");
        }
        thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// Reads what a program says on a thread of its own, so that nobody waits for it for ever.
fn read_lines(child: &mut Child) -> Receiver<String> {
    let stdout = child.stdout.take().expect("is piped");
    let (to, lines) = channel();
    thread::spawn(move || {
        for line in BufReader::new(stdout).split(b'\n').map_while(Result::ok) {
            if to.send(String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned()).is_err() {
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
    fn words_reach_the_shell_as_they_are() {
        let words = ["echo", "it's", "$HOME \"x\"", ""].map(str::to_owned);
        assert_eq!(quoted(&words), r#"'echo' 'it'\''s' '$HOME "x"' ''"#);
    }
}
