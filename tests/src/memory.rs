//! A limit on memory, enforced by the kernel: a cgroup of the memory controller, in either version.

use std::path::{Path, PathBuf};

use crate::cgroup;
use crate::skip::Missing;

/// A cgroup with a limit; removed on drop. Pages of the page cache, kernel objects and BPF maps count too.
#[derive(Debug)]
pub struct MemoryLimit {
    path: PathBuf,
    v2: bool,
}

impl MemoryLimit {
    /// Makes one of so many bytes.
    ///
    /// # Errors
    /// When this host has no memory controller that can be used.
    ///
    /// # Panics
    /// When it has one and the limit is refused.
    pub fn of(bytes: u64) -> Result<Self, Missing> {
        let (root, v2) = controller()?;
        let path = root.join(cgroup::unique());
        std::fs::create_dir(&path).expect("root may make a cgroup");
        let new = Self { path, v2 };
        new.write(if v2 { "memory.max" } else { "memory.limit_in_bytes" }, &bytes.to_string());
        if v2 {
            // A kernel without swap has no such file.
            let _ = std::fs::write(new.path.join("memory.swap.max"), "0");
        }
        Ok(new)
    }

    /// Lines of shell that move the process that runs them into it.
    #[must_use]
    pub fn enter(&self) -> String {
        format!("echo $$ > {}", self.path.join("cgroup.procs").display())
    }

    /// Bytes in use now.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.number(if self.v2 { "memory.current" } else { "memory.usage_in_bytes" })
    }

    /// The most bytes ever in use, with page cache that can be given back; `None` if the kernel does not count it.
    #[must_use]
    pub fn peak(&self) -> Option<u64> {
        let file = if self.v2 { "memory.peak" } else { "memory.max_usage_in_bytes" };
        self.path.join(file).exists().then(|| self.number(file))
    }

    /// How many processes the kernel killed because of it.
    ///
    /// # Panics
    /// When the kernel does not count them.
    #[must_use]
    pub fn kills(&self) -> u64 {
        let file = if self.v2 { "memory.events" } else { "memory.oom_control" };
        let text = std::fs::read_to_string(self.path.join(file)).expect("the kernel counts kills");
        let line = text.lines().find_map(|line| line.strip_prefix("oom_kill "));
        line.and_then(|number| number.parse().ok()).expect("the kernel counts kills")
    }

    fn number(&self, file: &str) -> u64 {
        let text = std::fs::read_to_string(self.path.join(file)).expect("a cgroup has its use");
        text.trim().parse().expect("a number")
    }

    fn write(&self, file: &str, text: &str) {
        std::fs::write(self.path.join(file), text).unwrap_or_else(|e| panic!("cannot write {file}: {e}"));
    }
}

impl Drop for MemoryLimit {
    fn drop(&mut self) {
        // Bounded and without a panic: processes in it may still be ending.
        for _ in 0..500 {
            if std::fs::remove_dir(&self.path).is_ok() || !self.path.exists() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }
}

/// Where cgroups of the memory controller can be made, and whether that is version 2.
fn controller() -> Result<(PathBuf, bool), Missing> {
    let text = std::fs::read_to_string("/proc/self/mountinfo").expect("/proc is mounted");
    let v1 = text.lines().find_map(|line| {
        let (fields, rest) = line.split_once(" - ")?;
        let options = rest.split(' ').nth(2)?;
        let memory = rest.starts_with("cgroup ") && options.split(',').any(|option| option == "memory");
        memory.then(|| PathBuf::from(fields.split(' ').nth(4).unwrap_or("/")))
    });
    if let Some(root) = v1 {
        return Ok((root, false));
    }
    let root = cgroup::mount();
    if offers(&root) {
        // It may be enabled already, or not be possible: the next step shows.
        let _ = std::fs::write(root.join("cgroup.subtree_control"), "+memory");
        return Ok((root, true));
    }
    Err(Missing { what: "the memory controller is not available here".to_owned() })
}

fn offers(root: &Path) -> bool {
    std::fs::read_to_string(root.join("cgroup.controllers"))
        .is_ok_and(|controllers| controllers.split_whitespace().any(|one| one == "memory"))
}
