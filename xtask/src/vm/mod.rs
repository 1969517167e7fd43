//! `vm`: the end-to-end promises on the kernels that distributions ship, in virtual machines by software emulation.
//!
//! Belongs here: what the command does, in order. Debian's packages are in `packages`, what a machine boots in
//! `kernel`, one run of a machine in `machine`, which promises run and how in `promises`, the table in `table`.

mod cpio;
mod kernel;
mod machine;
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

use crate::side_by_side::side_by_side;
use crate::step::{note, short, step};
use crate::{build, sh};
use kernel::Kernel;
pub(crate) use machine::{Ended, Pace};
use machine::{Machine, Run};
use promises::{Kind, Promise, PromiseOutcome};
use series::series;
use table::{Column, Table};
use tools::Tools;

/// The arguments of `cargo xtask vm`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// A series such as 6.1, `newest`, or `all` (5.10, 6.1, 6.12 and the newest that Debian offers)
    #[arg(long, value_name = "SERIES", default_value = "all")]
    kernel: Vec<String>,
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
    let limit = Duration::from_secs(options.time_limit);
    let home = sh::target_dir().join("vm");
    let tools =
        step("the emulator and its companions, unpacked and not installed", || Tools::provide(&home))?;
    let archive = step("Debian's kernel packages, by a package manager of their own", || {
        let archive = packages::KernelArchive::open(&home)?;
        let offered = archive.offered();
        Ok((archive, offered))
    })?;
    if options.command.is_empty() {
        run_promises(options, limit, &tools, &archive)
    } else {
        run_command(options, limit, &tools, &archive)
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
    let home = sh::target_dir().join("vm");
    let (tools, _) = Tools::provide(&home)?;
    let archive = packages::KernelArchive::open(&home)?;
    let kernel = provide(&archive, &tools, series)?;
    let run = Run { script, directory: sh::workspace().to_owned(), limit, pace, systemd: false, layer: None };
    Machine::new(&kernel, &tools).run(&run, line)
}

/// The folder with the container runtimes.
fn container_runtimes() -> Result<PathBuf> {
    let home = sh::target_dir().join("vm");
    step("container runtimes, unpacked and not installed", || runtimes::provide(&home))
}

/// A path, quoted for bash.
pub(crate) fn quoted(path: &Path) -> String {
    machine::quoted(&[path.display().to_string()])
}

fn run_promises(
    options: &Options,
    limit: Duration,
    tools: &Tools,
    archive: &packages::KernelArchive,
) -> Result<()> {
    let binary = build::daemon(true)?;
    let promises = step("the promises that hold on every kernel", || {
        let promises = promises::build()?;
        let count = promises.len();
        Ok((promises, format!("{count} promises")))
    })?;
    let asked = series(&options.kernel);
    let with_containers = promises::container_series(&asked).cloned();
    let layer =
        container_runtimes().map_err(|error| note(format_args!("skipped: container runtimes: {error:#}")));
    let kernels: Vec<_> = asked
        .into_iter()
        .map(|series| {
            provide(archive, tools, &series).map_err(|error| {
                note(format_args!("skipped: kernel {series}: {error:#}"));
                (series, format!("{error:#}"))
            })
        })
        .collect();
    // The emulator runs all processors of a machine in one thread.
    let columns = side_by_side(&kernels, |kernel| match kernel {
        Ok(kernel) => {
            let runtimes = match (with_containers.as_ref() == Some(&kernel.series), &layer) {
                (false, _) => Runtimes::Elsewhere,
                (true, Ok(layer)) => Runtimes::Here(layer),
                (true, Err(())) => Runtimes::Missing,
            };
            on_kernel(kernel, &binary, &promises, limit, tools, runtimes)
        }
        Err((series, why)) => Ok(Column::skipped(series, why)),
    })?;
    let mut table = Table::new(&promises);
    columns.into_iter().for_each(|column| table.push(column));
    table.print();
    table.judge(env::var("CI").is_ok_and(|ci| ci == "true"))
}

fn provide(archive: &packages::KernelArchive, tools: &Tools, series: &str) -> Result<Kernel> {
    step(&format!("kernel {series}"), || {
        let unpacked = archive.fetch(series)?;
        let kernel = Kernel::prepare(series, unpacked, tools)?;
        let release = kernel.release.clone();
        Ok((kernel, release))
    })
}

/// Where the promises about container runtimes run.
#[derive(Debug, Clone, Copy)]
enum Runtimes<'a> {
    /// On this kernel, with this folder over the host's root.
    Here(&'a Path),
    /// On another.
    Elsewhere,
    /// Nowhere: their packages could not be fetched.
    Missing,
}

impl<'a> Runtimes<'a> {
    const fn layer(self) -> Option<&'a Path> {
        match self {
            Self::Here(layer) => Some(layer),
            Self::Elsewhere | Self::Missing => None,
        }
    }
}

/// The promises on one kernel.
fn on_kernel(
    kernel: &Kernel,
    binary: &Path,
    promises: &[Promise],
    limit: Duration,
    tools: &Tools,
    runtimes: Runtimes<'_>,
) -> Result<Column> {
    let start = Instant::now();
    let mut column = Column::of(kernel);
    step(&format!("promises on Linux {}", kernel.release), || {
        let mut results = promises::Results::default();
        for kind in Kind::ALL {
            let layer = runtimes.layer().filter(|_| kind == Kind::Containers);
            if kind == Kind::Containers && layer.is_none() {
                continue;
            }
            let share: Vec<Promise> =
                promises.iter().filter(|promise| promise.needs() == kind).cloned().collect();
            let run = Run {
                script: promises::script(binary, &share),
                directory: sh::workspace().join("tests"),
                limit,
                pace: Pace::Real,
                systemd: kind != Kind::Plain,
                layer: layer.map(Path::to_owned),
            };
            let ended = Machine::new(kernel, tools).run(&run, |line| {
                println!("{:>6} │ {line}", kernel.series);
                results.read(line);
            })?;
            column.boots = column.boots.max(ended.boots);
            column.note_failure(&ended);
        }
        column.fill(promises, |promise| match (promise.needs(), runtimes) {
            (Kind::Containers, Runtimes::Elsewhere) => PromiseOutcome::Elsewhere,
            (Kind::Containers, Runtimes::Missing) => PromiseOutcome::Skipped,
            _ => results.of(promise),
        });
        column.time = start.elapsed();
        Ok(((), format!("Linux {}: {}", kernel.release, column.outcome())))
    })?;
    Ok(column)
}

fn run_command(
    options: &Options,
    limit: Duration,
    tools: &Tools,
    archive: &packages::KernelArchive,
) -> Result<()> {
    let directory: PathBuf = env::current_dir()?;
    let layer = if options.containers { Some(container_runtimes()?) } else { None };
    let (mut passed, mut failed, mut skipped) = (0, Vec::new(), 0);
    for series in series(&options.kernel) {
        let kernel = match provide(archive, tools, &series) {
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
