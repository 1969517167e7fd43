//! What the threads of a process may do, as the kernel has it, and as `docs/privileges.md` says it of a daemon.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::wait;

/// A thread's rights (`/proc/PID/task/TID/status`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rights {
    /// Its name.
    pub thread: String,
    /// Capabilities that it may use.
    pub permitted: u64,
    /// Those that it uses.
    pub effective: u64,
    /// Those that a program which it executes could get.
    pub bounding: u64,
    /// Those that it would pass on.
    pub passed_on: u64,
    /// Whether no program that it executes gains anything.
    pub no_new_privileges: bool,
    /// 0: no system call is refused, 2: a filter decides.
    pub seccomp: u64,
}

/// The rights of every thread of a process that is there now.
///
/// # Panics
/// When the process is gone.
#[must_use]
pub fn of_threads(pid: u32) -> Vec<Rights> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("it runs");
    // One that ends meanwhile is none.
    let read = |task: fs::DirEntry| fs::read_to_string(task.path().join("status")).ok();
    tasks.filter_map(Result::ok).filter_map(read).map(|status| Rights::of(&status)).collect()
}

impl Rights {
    fn of(status: &str) -> Self {
        let text = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
            line.map(str::trim).unwrap_or_else(|| panic!("no {key}: {status}"))
        };
        let bits = |key: &str| u64::from_str_radix(text(key), 16).expect("a set of capabilities");
        Self {
            thread: text("Name").to_owned(),
            permitted: bits("CapPrm"),
            effective: bits("CapEff"),
            bounding: bits("CapBnd"),
            passed_on: bits("CapInh") | bits("CapAmb"),
            no_new_privileges: text("NoNewPrivs") == "1",
            seccomp: text("Seccomp").parse().expect("a number"),
        }
    }
}

/// Numbers of capabilities (include/uapi/linux/capability.h).
const NUMBERS: [(&str, u32); 8] = [
    ("CHOWN", 0),
    ("DAC_OVERRIDE", 1),
    ("DAC_READ_SEARCH", 2),
    ("NET_ADMIN", 12),
    ("SYS_PTRACE", 19),
    ("SYS_ADMIN", 21),
    ("PERFMON", 38),
    ("BPF", 39),
];

/// A set of capabilities by their names; other words mean nothing.
#[must_use]
pub fn capabilities(text: &str) -> u64 {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let number = |word: &str| NUMBERS.iter().find(|(name, _)| Some(*name) == word.strip_prefix("CAP_"));
    words.filter_map(number).fold(0, |set, (_, number)| set | 1 << number)
}

/// What the page says of a thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Documented {
    /// Capabilities that it uses.
    pub used: u64,
    /// Those that it can raise.
    pub raised: u64,
    /// Whether it has those of whoever started it.
    pub inherits: bool,
    /// Those that it keeps besides where root has started it by hand.
    pub of_root: u64,
}

/// The page's table of threads, by name.
///
/// # Panics
/// When there is no such table.
#[must_use]
pub fn documented() -> BTreeMap<String, Documented> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/privileges.md");
    let page = fs::read_to_string(page).expect("the page is part of the checkout");
    let (_, table) = page.split_once("| thread |").expect("the table of threads");
    let before = "\nBefore Linux 5.19 `CAP_BPF` is with those that look into maps: ";
    let (_, looking) = page.split_once(before).expect("what older kernels ask for");
    let looking = looking.lines().next().unwrap_or_default();
    let looks = |thread: &str| looking.split('`').any(|name| name == thread) && is_before((5, 19));
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let row = |line: &str| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').collect();
        let set = |at: usize| capabilities(cells[at]);
        let name = cells[0].trim().trim_matches('`').to_owned();
        let more = if looks(&name) { capabilities("CAP_BPF") } else { 0 };
        (
            name,
            Documented {
                used: set(2) | more,
                raised: set(3),
                inherits: cells[2].contains("what that one has"),
                of_root: set(4),
            },
        )
    };
    rows.map(row).collect()
}

/// Whether this kernel is older than a version (major, minor).
///
/// # Panics
/// When `/proc` does not say.
#[must_use]
pub fn is_before(version: (u32, u32)) -> bool {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").expect("proc(5)");
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map_while(|part| part.parse().ok());
    let here = (numbers.next().expect("a version"), numbers.next().expect("a version"));
    here < version
}

/// In what the threads of a daemon differ from the page, one line each. `by_root`: root has started it by hand.
fn differences(pid: u32, by_root: bool) -> Vec<String> {
    let page = documented();
    let differs = |rights: &Rights| {
        let Some(said) = page.get(&rights.thread) else {
            return Some(format!("not on the page: {rights:x?}"));
        };
        if said.inherits {
            return None;
        }
        let more = if by_root { said.of_root } else { 0 };
        let expected = (said.used | said.raised | more, said.used | more, 0, true);
        let found = (rights.permitted, rights.effective, rights.passed_on, rights.no_new_privileges);
        (found != expected).then(|| format!("{expected:x?} expected: {rights:x?}"))
    };
    of_threads(pid).iter().filter_map(differs).collect()
}

/// Waits until each thread of a daemon has what the page says and no more: it gives up the rest as its first act.
///
/// # Panics
/// When one goes on to differ.
#[track_caller]
pub fn wait_until_as_documented(pid: u32, by_root: bool) {
    let mut last = Vec::new();
    wait::until("each thread has what the page says, and no more", || {
        let differ = differences(pid, by_root);
        if !differ.is_empty() && differ != last {
            eprintln!("{}", differ.join("\n"));
        }
        last = differ;
        last.is_empty()
    });
}
