//! The promises on several kernels: which machines that takes, in which order they run, and what became of each promise.

use std::cmp::Reverse;
use std::env;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::kernel::Kernel;
use super::machine::{ExitStatus, Machine, Pace, Run, retries};
use super::packages::KernelArchive;
use super::promises::{self, Kind, Promise, PromiseOutcome, Results};
use super::table::{Column, Table};
use super::tools::Tools;
use super::{core_promises, runtimes};
use crate::side_by_side::side_by_side;
use crate::step::{note, step};
use crate::{build, sh};

/// What is asked for.
#[derive(Debug)]
pub(super) struct Options<'a> {
    pub(super) series: &'a [String],
    /// Those of the series of which only the core runs.
    pub(super) core: &'a [String],
    /// For one machine.
    pub(super) limit: Duration,
}

/// A kernel that was asked for, or why it cannot be had.
type Asked = Result<Kernel, (String, String)>;

/// The most promises of one machine. So many take half of its time at most on the slowest kernel; they would not be done
/// in time if all of a kernel shared one, and short machines fill both processors of the host until the end.
const SHARE: usize = 60;

/// One machine with its share of the promises.
struct Job<'a> {
    kernel: &'a Kernel,
    kind: Kind,
    /// Which of the machines of this kind and kernel, from 1.
    part: usize,
    promises: Vec<Promise>,
}

impl Job<'_> {
    /// Names what is kept of the machine.
    fn name(&self) -> String {
        let name = self.kind.name();
        if self.part == 1 { name.to_owned() } else { format!("{name}-{}", self.part) }
    }

    /// How long it is expected to take.
    fn expected(&self) -> Duration {
        self.kind.expected() * u32::try_from(self.promises.len()).unwrap_or(u32::MAX)
    }
}

/// What a machine reported.
struct Report {
    series: String,
    results: Results,
    boots: u32,
    time: Duration,
}

/// Which promises run on which kernel.
#[derive(Debug, Clone, Copy)]
struct Plan<'a> {
    /// The series of which only the core runs.
    core: &'a [String],
    /// The series that runs the promises about container runtimes.
    containers: Option<&'a String>,
}

impl Plan<'_> {
    fn runs(&self, promise: &Promise, series: &str) -> bool {
        (promise.needs() != Kind::Containers || self.containers.is_some_and(|with| with == series))
            && (!self.core.iter().any(|core| core == series) || core_promises::contains(promise))
    }
}

/// Runs the promises and prints the table of all kernels.
///
/// # Errors
/// As [`super::run`].
pub(super) fn run(options: &Options<'_>, tools: &Tools, archive: &KernelArchive) -> Result<()> {
    let asked = options.series;
    if let Some(other) = options.core.iter().find(|core| !asked.contains(core)) {
        bail!("--core {other}: this kernel is not among those that are run: {}", asked.join(", "));
    }
    let binary = build::daemon(true)?;
    let promises = step("the promises that hold on every kernel", || {
        let promises = promises::build()?;
        let count = promises.len();
        Ok((promises, format!("{count} promises")))
    })?;
    let plan = Plan { core: options.core, containers: promises::container_series(asked) };
    let layer =
        runtimes::folder().map_err(|error| note(format_args!("skipped: container runtimes: {error:#}")));
    let kernels: Vec<Asked> = asked
        .iter()
        .map(|series| {
            Kernel::provide(archive, tools, series).map_err(|error| {
                note(format_args!("skipped: kernel {series}: {error:#}"));
                (series.clone(), format!("{error:#}"))
            })
        })
        .collect();
    let layer = layer.ok();
    let jobs = jobs(kernels.iter().flatten(), &promises, plan, layer.is_some());
    // The emulator runs all processors of a machine in one thread.
    let reports = side_by_side(&jobs, |job| on_machine(job, &binary, options.limit, tools, layer.as_ref()))?;
    let mut table = Table::new(&promises);
    for kernel in &kernels {
        table.push(match kernel {
            Ok(kernel) => column(kernel, &promises, plan, &reports, layer.is_some()),
            Err((series, why)) => Column::skipped(series, why),
        });
    }
    table.print();
    table.judge(env::var("CI").is_ok_and(|ci| ci == "true"))
}

/// The machines, the longest first: what begins last then is short, and no processor waits long at the end.
fn jobs<'a>(
    kernels: impl Iterator<Item = &'a Kernel>,
    promises: &[Promise],
    plan: Plan<'_>,
    with_containers: bool,
) -> Vec<Job<'a>> {
    let mut jobs = Vec::new();
    for kernel in kernels {
        for kind in Kind::ALL {
            let is_here = |promise: &&Promise| promise.needs() == kind && plan.runs(promise, &kernel.series);
            let promises: Vec<Promise> = promises.iter().filter(is_here).cloned().collect();
            if kind == Kind::Containers && !with_containers {
                continue;
            }
            let share = promises.len().div_ceil(promises.len().div_ceil(SHARE).max(1)).max(1);
            jobs.extend(promises.chunks(share).zip(1..).map(|(share, part)| Job {
                kernel,
                kind,
                part,
                promises: share.to_vec(),
            }));
        }
    }
    jobs.sort_by_key(|job| Reverse(job.expected()));
    jobs
}

/// Boots one machine and runs its promises.
fn on_machine(
    job: &Job<'_>,
    binary: &Path,
    limit: Duration,
    tools: &Tools,
    layer: Option<&PathBuf>,
) -> Result<Report> {
    let Job { kernel, kind, promises, .. } = job;
    let start = Instant::now();
    let mut report =
        Report { series: kernel.series.clone(), results: Results::default(), boots: 0, time: Duration::ZERO };
    let what = format!("Linux {}, {}", kernel.release, job.name());
    step(&format!("{} promises on {what}", promises.len()), || {
        let run = Run {
            name: job.name(),
            script: promises::script(binary, promises),
            directory: sh::workspace().join("tests"),
            limit,
            pace: Pace::Real,
            systemd: *kind != Kind::Plain,
            layer: layer.filter(|_| *kind == Kind::Containers).cloned(),
        };
        let ended = Machine::new(kernel, tools).run(&run, |line| {
            println!("{:>6} │ {line}", kernel.series);
            report.results.read(line);
        })?;
        report.boots = ended.boots;
        report.time = start.elapsed();
        if !matches!(ended.status, ExitStatus::Exited(_)) {
            note(format_args!("{what}: {}", ended.status));
        }
        let (passed, failed, skipped) = report.results.count(promises);
        let again = retries(ended.boots);
        Ok(((), format!("{what}: {passed} passed, {failed} failed, {skipped} skipped{again}")))
    })?;
    Ok(report)
}

/// What became of each promise on one kernel.
fn column(
    kernel: &Kernel,
    promises: &[Promise],
    plan: Plan<'_>,
    reports: &[Report],
    with_containers: bool,
) -> Column {
    let mut column = Column::of(kernel);
    let mine = || reports.iter().filter(|report| report.series == kernel.series);
    let mut results = Results::default();
    mine().for_each(|report| results.add(&report.results));
    column.is_core = plan.core.contains(&kernel.series);
    column.boots = mine().map(|report| report.boots).max().unwrap_or_default();
    column.time = mine().map(|report| report.time).sum();
    column.fill(promises, |promise| {
        if !plan.runs(promise, &kernel.series) {
            return PromiseOutcome::Elsewhere;
        }
        if promise.needs() == Kind::Containers && !with_containers {
            return PromiseOutcome::Skipped;
        }
        results.of(promise)
    });
    column
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kernel(series: &str) -> Kernel {
        Kernel {
            series: series.to_owned(),
            release: format!("{series}.0"),
            image: "/k/vmlinux".into(),
            initial: Vec::new(),
            modules: "/k/modules".into(),
        }
    }

    fn promises() -> Vec<Promise> {
        [
            ("bytes", "sendfile_and_splice_are_counted_to_the_byte"),
            ("bytes", "full_duplex_is_counted_to_the_byte"),
            ("bytes", "it_does_not_matter_which_end_closes_first"),
            ("bytes", "bytes_after_a_half_close_are_counted_to_the_byte"),
            ("bytes", "an_end_that_closes_much_earlier_is_counted_to_the_byte"),
            ("containers_podman", "any"),
        ]
        .map(|(file, test)| Promise::sample(file, test))
        .into()
    }

    #[test]
    fn the_longest_machine_boots_first_and_a_core_is_short() {
        let (old, middle) = (kernel("5.10"), kernel("6.1"));
        let (core, containers) = (["6.1".to_owned()], "6.1".to_owned());
        let plan = Plan { core: &core, containers: Some(&containers) };
        let shown = |with_containers| {
            jobs([&middle, &old].into_iter(), &promises(), plan, with_containers)
                .iter()
                .map(|job| (job.kernel.series.clone(), job.kind, job.promises.len()))
                .collect::<Vec<_>>()
        };
        let (plain, short) = (("5.10".to_owned(), Kind::Plain, 5), ("6.1".to_owned(), Kind::Plain, 1));
        let containers = ("6.1".to_owned(), Kind::Containers, 1);
        assert_eq!(shown(true), [plain.clone(), containers, short.clone()]);
        assert_eq!(shown(false), [plain, short]);
    }

    #[test]
    fn many_promises_of_a_kernel_are_shared_by_machines() {
        let kernel = kernel("5.10");
        let plan = Plan { core: &[], containers: None };
        let many: Vec<_> = (0..141).map(|at| Promise::sample("bytes", &format!("promise_{at}"))).collect();
        let jobs = jobs([&kernel].into_iter(), &many, plan, false);
        let shared: Vec<_> = jobs.iter().flat_map(|job| job.promises.iter().cloned()).collect();
        assert_eq!(shared, many);
        let shown: Vec<_> = jobs.iter().map(|job| (job.name(), job.promises.len())).collect();
        assert_eq!(
            shown,
            [("plain", 47), ("plain-2", 47), ("plain-3", 47)].map(|(name, of)| (name.to_owned(), of))
        );
    }

    #[test]
    fn what_another_kernel_runs_is_no_failure_of_this_one() {
        let core = ["6.1".to_owned()];
        let plan = Plan { core: &core, containers: None };
        let mut results = Results::default();
        results.read("promise bytes::sendfile_and_splice_are_counted_to_the_byte passed 5 ms");
        let report = Report { series: "6.1".to_owned(), results, boots: 1, time: Duration::from_secs(9) };
        let mut table = Table::new(&promises());
        table.push(column(&kernel("6.1"), &promises(), plan, &[report], true));
        assert!(table.judge(false).is_ok());
        // Of an older kernel, which has to keep all of them, no machine has reported.
        table.push(column(&kernel("5.10"), &promises(), plan, &[], true));
        assert_eq!(
            table.judge(false).expect_err("broken").to_string(),
            "5 promises are broken on these kernels"
        );
    }
}
