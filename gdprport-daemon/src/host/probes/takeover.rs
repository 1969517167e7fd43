//! Taking over the pinned state of the previous daemon, without a moment in which nothing is attached.
//!
//! Order of a takeover: the maps first, so that the new programs use them; then each hook. A link at a cgroup
//! gets the new program in place of the old one in one step. Others cannot, so the new link is created before the old
//! one is removed: for that moment both run, and write the same. What was not pinned (tracepoints before Linux 5.15)
//! is attached again and named as detached.
//!
//! Invariant: pins that are incomplete are marked so (`Checkpoint::whole`), and then never used.

use std::path::{Path, PathBuf};
use std::time::Duration;

use aya::Ebpf;
use aya::maps::{Array, HashMap, Map, MapData};
use aya::programs::links::{FdLink, LinkType, PinnedLink};
use gdprport_common::{CHECKPOINT_MAGIC, Checkpoint, Counters, TaskIdentity};

use super::catalog::{Attach, HOOKS, HookSpec, Need};
use super::compatibility::{Incompatibility, check_pins, shared};
use super::enforce;
use super::error::{LoadError, chain};
use super::load::{HookError, HookStatus, LoadSource, attach, load_program};
use super::pins::{PinDirectory, PinError};
use super::sys;
use crate::host::clock::boottime_ns;

/// The name of the map of [`Checkpoint`].
pub(super) const HANDOVER: &str = "HANDOVER";

/// The kernel side: loaded, attached and, if wanted, pinned.
pub(super) struct KernelSide {
    pub(super) object: Ebpf,
    pub(super) hooks: Vec<HookStatus>,
    pub(super) pinned_hooks: usize,
    pub(super) previous: Option<PreviousPins>,
}

/// What a previous daemon left pinned.
#[derive(Debug, Clone)]
pub(crate) struct PreviousPins {
    /// When it last wrote its checkpoint; boottime ns. If that cannot be read: when it began to pin.
    pub checkpoint_ns: u64,
    /// Version of the daemon, empty if not known.
    pub version: String,
    /// What became of the pins.
    pub outcome: PinsOutcome,
}

/// What became of the pins of a previous daemon.
#[derive(Debug, Clone)]
pub(crate) enum PinsOutcome {
    /// They were taken over.
    Adopted(Box<AdoptedPins>),
    /// They were removed, for a fresh start.
    Discarded(Incompatibility),
}

/// What was taken over.
#[derive(Debug, Clone)]
pub(crate) struct AdoptedPins {
    /// The kernel side's counters as last reported.
    pub counters: Counters,
    /// Position in the ring buffer up to which the sinks had written everything; bytes.
    pub durable_position: u64,
    /// Occasions in groups that were collected and reported.
    pub collected: u64,
    /// Hooks that were not pinned, and so saw nothing in between.
    pub detached: Vec<&'static str>,
}

/// Brings the kernel side up: with what is pinned in `pins`, if it fits; else from scratch, and pinned there.
///
/// # Errors
/// What is missing or was refused; then nothing that was attached by this call stays so.
pub(super) fn begin(source: &LoadSource, pins: Option<&mut PinDirectory>) -> Result<KernelSide, LoadError> {
    let Some(pins) = pins else { return fresh(source, None) };
    if !pins.holds_something()? {
        return fresh(source, Some(pins));
    }
    let checkpoint = read_checkpoint(&pins.map(HANDOVER));
    let version = checkpoint.as_ref().map_or_else(String::new, version_of);
    // Nobody changes the directory after pinning, so its time is not later than the last checkpoint.
    let checkpoint_ns = checkpoint.as_ref().map_or_else(|| changed_ns(pins.path()), |found| found.saved_ns);
    let adopted = checkpoint.ok_or_else(no_checkpoint).and_then(|checkpoint| {
        check_pins(source, pins, &checkpoint)?;
        let (side, detached) =
            adopt(source, pins).map_err(|error| Incompatibility::Damaged(chain(&error)))?;
        let Checkpoint { counters, durable_position, collected, .. } = checkpoint;
        Ok((side, AdoptedPins { counters, durable_position, collected, detached }))
    });
    let (mut side, outcome) = match adopted {
        Ok((side, adopted)) => (side, PinsOutcome::Adopted(Box::new(adopted))),
        Err(reason) => {
            pins.clear()?;
            (fresh(source, Some(pins))?, PinsOutcome::Discarded(reason))
        }
    };
    side.previous = Some(PreviousPins { checkpoint_ns, version, outcome });
    Ok(side)
}

fn no_checkpoint() -> Incompatibility {
    Incompatibility::Damaged("what it noted about itself is missing or cannot be read".to_owned())
}

fn read_checkpoint(path: &Path) -> Option<Checkpoint> {
    let map = Map::from_map_data(MapData::from_pin(path).ok()?).ok()?;
    let checkpoint = Array::<MapData, Checkpoint>::try_from(map).ok()?.get(&0, 0).ok()?;
    (checkpoint.magic == CHECKPOINT_MAGIC).then_some(checkpoint)
}

fn version_of(checkpoint: &Checkpoint) -> String {
    let text = checkpoint.version.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(text).chars().filter(char::is_ascii_graphic).collect()
}

/// When a directory was last changed, on the clock of records; 0 if that is not known.
fn changed_ns(path: &Path) -> u64 {
    let changed = std::fs::metadata(path).and_then(|meta| meta.modified());
    let age = changed.ok().and_then(|time| time.elapsed().ok()).unwrap_or(Duration::MAX);
    boottime_ns().saturating_sub(u64::try_from(age.as_nanos()).unwrap_or(u64::MAX))
}

/// Loads and attaches everything from scratch, and pins it if there is a directory for it.
fn fresh(source: &LoadSource, pins: Option<&PinDirectory>) -> Result<KernelSide, LoadError> {
    let mut object = source.load(&[])?;
    enforce::make_key(&mut object)?;
    let mut hooks = Vec::with_capacity(HOOKS.len());
    let mut links = Vec::new();
    for spec in HOOKS {
        let attached = load_program(&mut object, spec)
            .and_then(|()| attach(&mut object, spec, &source.cgroup, pins.is_some()));
        match attached {
            Ok(link) => links.extend(link.map(|link| (spec, link))),
            Err(refused) if spec.need == Need::Required => return Err(source.refused(spec, refused)),
            Err(refused) => {
                hooks.push(HookStatus { spec, missing: Some(refused.0) });
                continue;
            }
        }
        hooks.push(HookStatus { spec, missing: None });
    }
    let pinned_hooks = links.len();
    if let Some(pins) = pins {
        pin_all(pins, &object, links)?;
    }
    Ok(KernelSide { object, hooks, pinned_hooks, previous: None })
}

fn pin_all(pins: &PinDirectory, object: &Ebpf, links: Vec<(&HookSpec, FdLink)>) -> Result<(), LoadError> {
    pins.prepare()?;
    for (name, map) in shared(object) {
        let path = pins.map(name);
        map.pin(&path).map_err(|error| not_pinned(path, &error))?;
    }
    for (spec, link) in links {
        pin(pins, spec, link)?;
    }
    Ok(())
}

fn pin(pins: &PinDirectory, spec: &HookSpec, link: FdLink) -> Result<(), LoadError> {
    let path = pins.link(spec.program);
    link.pin(&path).map(|_| ()).map_err(|error| not_pinned(path, &error))
}

fn not_pinned(path: PathBuf, error: &dyn std::error::Error) -> LoadError {
    let source = std::io::Error::other(chain(error));
    PinError::Io { doing: "pin", path, source }.into()
}

/// Takes everything over; also names the hooks that were detached.
fn adopt(source: &LoadSource, pins: &PinDirectory) -> Result<(KernelSide, Vec<&'static str>), LoadError> {
    let maps: Vec<(String, PathBuf)> =
        pins.maps()?.into_iter().map(|name| (name.clone(), pins.map(&name))).collect();
    let mut object = source.load(&maps)?;
    let pinned: Vec<String> = pins.links()?;
    for unknown in pinned.iter().filter(|name| HOOKS.iter().all(|spec| spec.program != **name)) {
        pins.unlink(unknown)?;
    }
    let intact = |spec: &HookSpec| pinned.iter().any(|name| name == spec.program) && is_link(pins, spec);
    let tracks_tasks = |spec: &&HookSpec| matches!(spec.attach, Attach::Tracepoint("sched" | "task", _));
    if HOOKS.iter().filter(tracks_tasks).any(|spec| !intact(spec)) {
        // Processes that ended in between are still in there, and their pids may have been reused.
        forget_tasks(&mut object)?;
    }
    let (mut hooks, mut detached, mut pinned_hooks) = (Vec::with_capacity(HOOKS.len()), Vec::new(), 0);
    for spec in HOOKS {
        let was_pinned = intact(spec);
        match take_over(source, pins, &mut object, spec, was_pinned) {
            Ok(Takeover { pinned, was_detached }) => {
                pinned_hooks += usize::from(pinned);
                if was_detached {
                    detached.push(spec.name);
                }
                hooks.push(HookStatus { spec, missing: None });
            }
            Err(TakeoverError::Hook(refused)) if spec.need == Need::Required => {
                return Err(source.refused(spec, refused));
            }
            Err(TakeoverError::Hook(refused)) => {
                // The old program would go on running while the hook is shown as missing.
                pins.unlink(spec.program)?;
                hooks.push(HookStatus { spec, missing: Some(refused.0) });
            }
            Err(TakeoverError::Pin(error)) => return Err(error),
        }
    }
    Ok((KernelSide { object, hooks, pinned_hooks, previous: None }, detached))
}

struct Takeover {
    pinned: bool,
    was_detached: bool,
}

enum TakeoverError {
    Hook(HookError),
    Pin(LoadError),
}

impl<E: Into<LoadError>> From<E> for TakeoverError {
    fn from(error: E) -> Self {
        Self::Pin(error.into())
    }
}

fn take_over(
    source: &LoadSource,
    pins: &PinDirectory,
    object: &mut Ebpf,
    spec: &HookSpec,
    was_pinned: bool,
) -> Result<Takeover, TakeoverError> {
    load_program(object, spec).map_err(TakeoverError::Hook)?;
    // The kernel can replace the program of a link at a cgroup, and of no other.
    let replaceable = !matches!(spec.attach, Attach::Tracepoint(..) | Attach::Return(..));
    if was_pinned && replaceable {
        let program = object.program(spec.program).and_then(|program| program.fd().ok());
        let replaced = program.map(|program| {
            sys::open_pinned(&pins.link(spec.program)).and_then(|link| sys::replace_program(link, program))
        });
        match replaced {
            Some(Ok(())) => return Ok(Takeover { pinned: true, was_detached: false }),
            Some(Err(error)) => tracing::warn!(hook = spec.name, %error, "a pinned hook is attached again"),
            None => {}
        }
        pins.unlink(spec.program)?;
    }
    let link = attach(object, spec, &source.cgroup, true).map_err(TakeoverError::Hook)?;
    pins.unlink(spec.program)?;
    let pinned = link.is_some();
    if let Some(link) = link {
        pin(pins, spec, link)?;
    }
    Ok(Takeover { pinned, was_detached: !was_pinned || replaceable })
}

/// Whether a link of the hook's kind is pinned under its name.
fn is_link(pins: &PinDirectory, spec: &HookSpec) -> bool {
    let kind = PinnedLink::from_pin(pins.link(spec.program))
        .and_then(|link| FdLink::from(link).info())
        .and_then(|info| info.link_type());
    let wanted = match spec.attach {
        Attach::Tracepoint(..) => LinkType::PerfEvent,
        Attach::Return(..) => LinkType::Tracing,
        Attach::SockAddr | Attach::Sock | Attach::SockOps | Attach::Skb(_) => LinkType::Cgroup,
    };
    kind.is_ok_and(|kind| kind == wanted)
}

fn forget_tasks(object: &mut Ebpf) -> Result<(), LoadError> {
    let error = |error: &dyn std::error::Error| LoadError::Map { map: "TASKS", reason: chain(error) };
    let map = object.map_mut("TASKS").ok_or_else(|| error(&std::fmt::Error))?;
    let mut tasks = HashMap::<_, u32, TaskIdentity>::try_from(map).map_err(|e| error(&e))?;
    let known: Vec<u32> = tasks.keys().filter_map(Result::ok).collect();
    for tgid in known {
        // One that ends at this moment is gone by itself.
        let _ = tasks.remove(&tgid);
    }
    Ok(())
}
