//! Real container runtimes, where `cargo xtask vm` brings them: Docker and Podman by their common command line, and
//! containerd by its own client and by the interface of kubelets.
//!
//! The runtimes are services of the machine and stay; an image is made once in it; containers are guards.

mod cri;
mod ctr;
mod engine;
mod image;
mod watched;

pub use cri::{Pod, PodName};
pub use ctr::{Ctr, Task};
pub use engine::{Container, Engine};
pub use image::{IMAGE, LABEL, OTHER_IMAGE};
pub use watched::Watched;

/// The cgroup of a process now, below the root, as events name it.
///
/// # Panics
/// When the process is gone.
#[must_use]
#[track_caller]
pub fn cgroup_of(pid: u32) -> String {
    let text = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).expect("the process runs");
    text.trim().rsplit("::").next().unwrap_or_default().to_owned()
}

/// The words of a command as a command line takes them.
#[must_use]
pub fn words(command: &[String]) -> Vec<&str> {
    command.iter().map(String::as_str).collect()
}
