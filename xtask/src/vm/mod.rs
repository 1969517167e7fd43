//! `vm`: the end-to-end promises on the kernels that distributions ship, in virtual machines by software emulation.
//!
//! Belongs here: what the command does, in order. Debian's packages are in `packages`, what a machine boots in
//! `kernel`, one run of a machine in `machine`, which promises there are and how they run in `promises`, which of them run on
//! which kernel and in which machine in `matrix`, the table in `table`.

mod core_promises;
mod cpio;
mod kernel;
mod machine;
mod matrix;
mod packages;
mod promises;
mod runtimes;
mod series;
mod table;
mod tools;

use std::env;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::sh;
use crate::step::{note, short, step};
use kernel::Kernel;
pub(crate) use machine::{Ended, Pace};
use machine::{Machine, Run};
pub(crate) use packages::mirror;
pub(crate) use promises::test_program;
use series::series;
use tools::Tools;

/// The arguments of `cargo xtask vm`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// A series such as 6.1, `newest`, or `all` (5.10, 6.1, 6.12 and the newest that Debian offers)
    #[arg(long, value_name = "SERIES", default_value = "all")]
    kernel: Vec<String>,
    /// Of this series only the core of the promises: what kernels between an older and a newer one could differ in
    #[arg(long, value_name = "SERIES", conflicts_with = "command")]
    core: Vec<String>,
    /// Seconds that one machine may run
    #[arg(long, value_name = "SECONDS", default_value_t = 1200)]
    time_limit: u64,
    /// Make systemd the first process of the machine, with the command as its only service
    #[arg(long, requires = "command")]
    systemd: bool,
    /// Lay Debian's container runtimes over the host's root in the machine: Docker, Podman, containerd
    #[arg(long, requires = "command")]
    containers: bool,
    /// Run this in each machine, as root and in this directory, instead of the promises
    #[arg(last = true)]
    command: Vec<String>,
}

/// Runs the promises, or a command, on each kernel, and prints the results as a table at the end.
///
/// # Errors
/// A promise or the command failed on a kernel, or nothing could be run at all. A kernel that is not available is
/// named as skipped; in CI that is an error too.
pub(crate) fn run(options: &Options) -> Result<()> {
    let home = sh::target_dir().join("vm");
    let tools =
        step("the emulator and its companions, unpacked and not installed", || Tools::provide(&home))?;
    let archive = step("Debian's kernel packages, by a package manager of their own", || {
        let archive = packages::KernelArchive::open(&home)?;
        let offered = archive.offered();
        Ok((archive, offered))
    })?;
    if options.command.is_empty() {
        let asked = matrix::Options {
            series: &series(&options.kernel),
            core: &options.core,
            limit: Duration::from_secs(options.time_limit),
        };
        matrix::run(&asked, &tools, &archive)
    } else {
        run_command(options, &tools, &archive)
    }
}

/// Runs a bash script, as root, in a machine with a kernel of this series, and passes on each line that it prints.
///
/// # Errors
/// The emulator or the kernel cannot be had, or it does not boot.
pub(crate) fn run_script(
    series: &str,
    script: String,
    limit: Duration,
    pace: Pace,
    line: impl FnMut(&str),
) -> Result<Ended> {
    let run = Run {
        name: "script".to_owned(),
        script,
        directory: sh::workspace().to_owned(),
        limit,
        pace,
        systemd: false,
        layer: None,
    };
    run_one(series, &run, line)
}

/// The same where systemd is the first process, with the script as its only service.
///
/// # Errors
/// As there.
pub(crate) fn run_under_systemd(
    series: &str,
    script: String,
    limit: Duration,
    line: impl FnMut(&str),
) -> Result<Ended> {
    let run = Run {
        name: "systemd".to_owned(),
        script,
        directory: sh::workspace().to_owned(),
        limit,
        pace: Pace::Real,
        systemd: true,
        layer: None,
    };
    run_one(series, &run, line)
}

fn run_one(series: &str, run: &Run, line: impl FnMut(&str)) -> Result<Ended> {
    let home = sh::target_dir().join("vm");
    let (tools, _) = Tools::provide(&home)?;
    let archive = packages::KernelArchive::open(&home)?;
    let kernel = Kernel::provide(&archive, &tools, series)?;
    Machine::new(&kernel, &tools).run(run, line)
}

/// A path, quoted for bash.
pub(crate) fn quoted(path: &Path) -> String {
    machine::quoted(&[path.display().to_string()])
}

fn run_command(options: &Options, tools: &Tools, archive: &packages::KernelArchive) -> Result<()> {
    let limit = Duration::from_secs(options.time_limit);
    let directory: PathBuf = env::current_dir()?;
    let layer = if options.containers { Some(runtimes::folder()?) } else { None };
    let (mut passed, mut failed, mut skipped) = (0, Vec::new(), 0);
    for series in series(&options.kernel) {
        let kernel = match Kernel::provide(archive, tools, &series) {
            Ok(kernel) => kernel,
            Err(error) => {
                note(format_args!("skipped: kernel {series}: {error:#}"));
                skipped += 1;
                continue;
            }
        };
        let script = machine::quoted(&options.command);
        let systemd = options.systemd;
        let run = Run {
            name: "command".to_owned(),
            script,
            directory: directory.clone(),
            limit,
            pace: Pace::Real,
            systemd,
            layer: layer.clone(),
        };
        let start = Instant::now();
        let Ended { status, boots } =
            Machine::new(&kernel, tools).run(&run, |line| println!("{:>6} │ {line}", kernel.series))?;
        note(format_args!(
            "Linux {}: {status} ({}{})",
            kernel.release,
            short(start.elapsed()),
            machine::retries(boots)
        ));
        if status.is_success() { passed += 1 } else { failed.push(kernel.release) }
    }
    println!("{passed} passed, {} failed, {skipped} skipped", failed.len());
    if !failed.is_empty() {
        bail!("the command failed on {}", failed.join(", "));
    }
    if passed == 0 {
        bail!("no kernel could be run");
    }
    Ok(())
}
