//! What this kernel and these privileges allow, and how to mend what is missing.

use std::path::{Path, PathBuf};

use gdprport_core::figures::thousands;
use tokio::sync::oneshot;

use crate::control::api::{Check, CheckResult, DoctorReport, EnforcementStatus, Hook, HookState, Kernel};
use crate::host::cgroup::{self, Mounts};
use crate::host::clock::HostId;
use crate::host::confine;
use crate::host::conntrack::{self, Unavailable};
use crate::host::containers::{Places, Surveyed, survey};
use crate::host::probes::catalog::HOOKS;
use crate::host::probes::{self, HookStatus, LoadError, Sizes, Tracefs};
use crate::host::trust::is_own;

use super::config::{Config, ConfigError};
use super::policy::Trust;
use super::status::hook;
use crate::ledger::{LedgerSnapshot, LedgerState};
use crate::sink::evidence::Standing;
use crate::sink::{Exposed, SinkStats, exposure};

mod evidence;
mod privileges;
mod room;
mod spool;

use room::free_bytes;

/// Where systemd mounts it.
const BPFFS: &str = "/sys/fs/bpf";

/// What a daemon that runs in this process knows of itself.
#[derive(Debug)]
pub(crate) struct Running {
    pub hooks: Vec<HookStatus>,
    pub sinks: Vec<SinkStats>,
    /// Where it looks up containers.
    pub containers: Places,
    /// How its ledger is; `None`: it keeps none.
    pub ledger: Option<LedgerSnapshot>,
    /// How its evidence log is; `None`: it keeps none.
    pub evidence: Option<Standing>,
    /// How it has connections decided; `None`: its policy asks for nothing.
    pub enforcement: Option<EnforcementStatus>,
}

impl Running {
    /// Examines the host and replies, on a thread of its own: it looks at file systems that may be slow.
    pub(super) fn reply(self, to: oneshot::Sender<DoctorReport>) {
        let examine = move || {
            // A client that no longer waits is no error.
            let _ = to.send(examine(Some(&self)));
        };
        if let Err(error) = std::thread::Builder::new().name("doctor".to_owned()).spawn(examine) {
            tracing::warn!(%error, "the host cannot be examined: a thread cannot be started");
        }
    }
}

/// Examines this host. Without a daemon that runs in this process the hooks are tried: loaded, attached for an instant and
/// taken back. Takes up to a second for each file system that does not answer.
#[must_use]
pub(crate) fn examine(running: Option<&Running>) -> DoctorReport {
    let host = HostId::read();
    let release = host.as_ref().map_or_else(|_| String::new(), |host| host.kernel.clone());
    let cgroup2 = Mounts::read().ok().and_then(|mounts| mounts.cgroup2);
    let confined = confine::in_force();
    // A daemon has given up since what it needed for its start.
    let given = confined.map_or_else(probes::effective_capabilities, |confined| confined.given);
    let mut checks = vec![
        check("kernel", probes::check_release(&release), || {
            format!("Linux {release}; 5.10 or newer is needed")
        }),
        check("privileges", probes::check_capabilities(given), || {
            "CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON are there".to_owned()
        }),
        check("btf", probes::check_btf(), || {
            "the kernel describes its types (/sys/kernel/btf/vmlinux)".to_owned()
        }),
        cgroup2_check(cgroup2.as_deref()),
    ];
    checks.extend(privileges::less_seen(given));
    checks.push(privileges::sandbox(confined));
    checks.push(tracefs_check());
    checks.push(bpffs_check());
    checks.push(conntrack_check());
    checks.push(privileges::endings());
    checks.extend(events_check(running.map(|running| &*running.sinks)));
    let (config, broken) = match running {
        Some(_) => (Config::default(), None),
        None => configured(Path::new(Config::PLACE)),
    };
    checks.extend(containers_checks(running.map_or(&config.containers, |running| &running.containers)));
    checks.extend(ledger_check(running.map(|running| running.ledger.as_ref()), config.ledger.path()));
    checks.extend(evidence::check(running.map(|running| running.evidence.as_ref()), &config.evidence));
    checks.extend(running.and_then(|running| running.enforcement.as_ref()).map(enforcement_check));
    checks.extend(spool::check(running.map(|running| &*running.sinks), config.spool(None).as_ref()));
    let failed = checks.iter().any(|check| check.result == CheckResult::Failed);
    // The kernel can be tried all the same.
    checks.extend(broken);
    let hooks = match running {
        Some(running) => running.hooks.iter().map(hook).collect(),
        None if failed => not_tried("something above is missing"),
        None => match try_hooks(&release, cgroup2) {
            Ok(hooks) => hooks,
            Err(error) => {
                checks.push(Check {
                    id: "hooks".to_owned(),
                    result: CheckResult::Failed,
                    found: error,
                    remedy: None,
                });
                not_tried("loading the kernel programs failed")
            }
        },
    };
    let boot_id = host.map_or_else(|_| String::new(), |host| host.boot_id);
    DoctorReport { kernel: Kernel { release, boot_id }, checks, hooks }
}

fn check(id: &str, outcome: Result<(), LoadError>, fine: impl FnOnce() -> String) -> Check {
    let (result, found, remedy) = match outcome {
        Ok(()) => (CheckResult::Ok, fine(), None),
        Err(error) => (CheckResult::Failed, error.to_string(), error.remedy().map(ToOwned::to_owned)),
    };
    Check { id: id.to_owned(), result, found, remedy }
}

fn cgroup2_check(place: Option<&Path>) -> Check {
    let Some(place) = place else { return check("cgroup2", Err(LoadError::NoCgroup2), String::new) };
    let at = place.display();
    let mut done = check("cgroup2", Ok(()), || format!("mounted at {at}"));
    if cgroup::is_part(place) {
        done.result = CheckResult::Degraded;
        done.found =
            format!("what is mounted at {at} is a part of the tree: nothing outside of it is watched");
        done.remedy = Some("mount the host's /sys/fs/cgroup there, read-only is enough".to_owned());
    }
    done
}

fn tracefs_check() -> Check {
    const COST: &str = "without it processes and units that end at once may be shown without their name";
    let (result, found, remedy) = match probes::find_tracefs() {
        Tracefs::At(place) => (CheckResult::Ok, format!("mounted at {}", place.display()), None),
        Tracefs::Hidden(place) => (
            CheckResult::Degraded,
            format!("this process may not look into {}; {COST}", place.display()),
            Some("run it as root (`sudo gdprport …`)"),
        ),
        Tracefs::Absent => (
            CheckResult::Degraded,
            format!("not mounted; {COST}"),
            Some("mount -t tracefs none /sys/kernel/tracing"),
        ),
    };
    Check { id: "tracefs".to_owned(), result, found, remedy: remedy.map(ToOwned::to_owned) }
}

/// Whether what the policy asks for is in force.
fn enforcement_check(status: &EnforcementStatus) -> Check {
    let defects: Vec<String> = status.defects().collect();
    let denied = status.decisions.denied + status.arrivals.denied;
    let (result, found) = if status.error.is_some() {
        (CheckResult::Failed, defects.join("; "))
    } else if defects.is_empty() {
        (CheckResult::Ok, format!("connections are decided in the kernel, {} were denied", thousands(denied)))
    } else {
        (CheckResult::Degraded, defects.join("; "))
    };
    Check { id: "enforcement".to_owned(), result, found, remedy: None }
}

/// Only `--pin` needs it, so that it is missing is no defect.
fn bpffs_check() -> Check {
    let found = if probes::is_bpffs(Path::new(BPFFS)) {
        format!("mounted at {BPFFS}; with --pin a restart misses nothing")
    } else {
        format!("not mounted at {BPFFS}; only --pin needs it, which lets a restart miss nothing")
    };
    Check { id: "bpffs".to_owned(), result: CheckResult::Ok, found, remedy: None }
}

/// How the host translates addresses. That nothing is tracked is no defect: then nothing is translated by it.
fn conntrack_check() -> Check {
    const COST: &str = "flows of containers show only the addresses of their sockets";
    let (result, found, remedy) = match conntrack::check() {
        Ok(()) => (
            CheckResult::Ok,
            "it shows the true peer of translated flows and what their clients called".into(),
            None,
        ),
        Err(Unavailable::NotLoaded) => (CheckResult::Ok, Unavailable::NotLoaded.to_string(), None),
        Err(error @ Unavailable::OtherNamespace) => (
            CheckResult::Degraded,
            format!("{error}; {COST}"),
            Some("run gdprport in the host's network and pid namespace (hostNetwork, hostPID)"),
        ),
        Err(error @ Unavailable::Refused(_)) => {
            (CheckResult::Degraded, format!("{error}; {COST}"), Some("modprobe nf_conntrack_netlink"))
        }
    };
    Check { id: "conntrack".to_owned(), result, found, remedy: remedy.map(ToOwned::to_owned) }
}

/// The file of a service, unless its unit was changed.
const EVENTS_OF_SERVICE: &str = "/var/log/gdprport/events.ndjson";

/// Who may read or change the events file: of the sinks that are open, or else of the service.
fn events_check(sinks: Option<&[SinkStats]>) -> Option<Check> {
    let (there, exposed) = match sinks {
        Some(sinks) => {
            let mut exposed = sinks.iter().filter_map(|sink| sink.exposed.clone());
            (sinks.iter().any(|sink| sink.counts.name.starts_with("file:")), exposed.next())
        }
        None => {
            let path = Path::new(EVENTS_OF_SERVICE);
            let meta = std::fs::metadata(path).ok();
            (meta.is_some(), meta.and_then(|meta| exposure(path, &meta)))
        }
    };
    let (result, found, remedy) = match exposed {
        Some(Exposed { found, remedy }) => (CheckResult::Degraded, found, Some(remedy)),
        None => (CheckResult::Ok, "only root and its group can read the events file".to_owned(), None),
    };
    there.then(|| Check { id: "events".to_owned(), result, found, remedy })
}

/// What the next daemon goes by, and a check that has failed if it would refuse that.
fn configured(place: &Path) -> (Config, Option<Check>) {
    match Config::load(place, Trust::RootOnly) {
        Ok(config) => (config, None),
        // For another user than root it may be a secret.
        Err(ConfigError::Read { source, .. }) if source.kind() == std::io::ErrorKind::PermissionDenied => {
            (Config::default(), None)
        }
        Err(error) => {
            let found = format!("a daemon does not start: {}", error.in_one_line());
            let check =
                Check { id: "configuration".to_owned(), result: CheckResult::Failed, found, remedy: None };
            (Config::default(), Some(check))
        }
    }
}

/// What is left of its file system below which the ledger may not be written any more soon.
const LEDGER_SPACE: u64 = 64 << 20;

/// Whether the ledger is written, nobody else can write it, and it has room. `running`: of a daemon that runs in this
/// process, which may keep none. `configured`: where the next one would keep it.
fn ledger_check(running: Option<Option<&LedgerSnapshot>>, configured: &Path) -> Option<Check> {
    let ok = |found| (CheckResult::Ok, found, None);
    let path = match running {
        Some(Some(snapshot)) => snapshot.path.clone(),
        Some(None) => PathBuf::new(),
        None => configured.to_owned(),
    };
    let shown = path.display();
    let state = running.flatten().map(|snapshot| &snapshot.state);
    let (result, found, remedy) = match (state, exposure_of_ledger(&path), free_bytes(&path)) {
        (Some(LedgerState::Late { why } | LedgerState::Unavailable { why }), ..) => {
            (CheckResult::Degraded, format!("{shown} is not written in time: {why}"), None)
        }
        (_, Ok(Some(how)), _) => {
            let remedy = format!("chown root {shown} && chmod 0640 {shown}");
            (CheckResult::Degraded, format!("others than root can change {shown}: {how}"), Some(remedy))
        }
        (_, Ok(None), Some(free)) if free < LEDGER_SPACE => {
            let remedy = "make room there, or give it another place: `path` in [ledger] of gdprport.toml";
            let found = format!("{} MiB are free where {shown} is", free >> 20);
            (CheckResult::Degraded, found, Some(remedy.to_owned()))
        }
        (_, Ok(None), _) => ok(format!("{shown}, which nobody but root and the service can change")),
        (None, Err(_), _) if running.is_some() => {
            ok("none is kept (`[ledger] enabled = false` or --no-ledger): nothing is known of the past"
                .into())
        }
        // Without a daemon there need not be one.
        (None, Err(error), _) if error.kind() == std::io::ErrorKind::NotFound => return None,
        (_, Err(error), _) => (CheckResult::Degraded, format!("{shown} cannot be looked at: {error}"), None),
    };
    Some(Check { id: "ledger".to_owned(), result, found, remedy })
}

/// How others than root can change the database, if they can.
fn exposure_of_ledger(path: &Path) -> std::io::Result<Option<String>> {
    use std::os::unix::fs::MetadataExt as _;
    let meta = std::fs::metadata(path)?;
    let (uid, mode) = (meta.uid(), meta.mode() & 0o7777);
    Ok(match (is_own(uid), mode & 0o022) {
        (true, 0) => None,
        (true, _) => Some(format!("its mode is {mode:04o}")),
        (false, _) => Some(format!("it belongs to the user {uid}")),
    })
}

/// Where names of containers come from. None of it is needed.
fn containers_checks(places: &Places) -> Vec<Check> {
    let ok = |found: &str| Check {
        id: "containers".to_owned(),
        result: CheckResult::Ok,
        found: found.to_owned(),
        remedy: None,
    };
    if !places.lookup {
        return vec![ok("not looked up (`[containers] lookup = false`): they are shown by their id")];
    }
    let mut checks: Vec<Check> = survey(places)
        .into_iter()
        .map(|Surveyed { name, path, found }| {
            let (result, found, remedy) = match found {
                Ok(found) => (CheckResult::Ok, found, None),
                Err(why) => {
                    let remedy = "until then containers there are shown by their id; see `[containers]` in gdprport.toml";
                    (CheckResult::Degraded, why, Some(remedy.to_owned()))
                }
            };
            Check { id: name.to_owned(), result, found: format!("{}, {found}", path.display()), remedy }
        })
        .collect();
    if checks.is_empty() {
        checks.push(ok("no state of a runtime is here; containers would be shown by their id"));
    }
    checks
}

/// Loads and attaches everything for an instant; it is gone when this returns.
fn try_hooks(release: &str, cgroup2: Option<std::path::PathBuf>) -> Result<Vec<Hook>, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    runtime.block_on(async {
        let small = Sizes { ring_bytes: 1 << 16, tasks: 64, execs: 64, ..Sizes::default() };
        let (probes, _ring) =
            probes::Probes::load(small, release, cgroup2, None).map_err(|error| error.to_string())?;
        Ok(probes.hooks().iter().map(hook).collect())
    })
}

fn not_tried(why: &str) -> Vec<Hook> {
    let of_catalog = HOOKS.iter().map(|spec| Hook {
        state: HookState::Untried,
        ..hook(&HookStatus { spec, missing: Some(why.to_owned()) })
    });
    of_catalog.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_the_cgroup_tree_is_not_taken_for_all_of_it() {
        assert_eq!(cgroup2_check(None).result, CheckResult::Failed);
        let whole = Mounts::read().ok().and_then(|mounts| mounts.cgroup2).expect("cgroup2 is mounted");
        assert_eq!(cgroup2_check(Some(&whole)).result, CheckResult::Ok);
        let directories = std::fs::read_dir(&whole).expect("it can be listed").flatten();
        let part = directories.map(|entry| entry.path()).find(|path| path.is_dir());
        let found = cgroup2_check(Some(&part.unwrap_or_else(|| "/tmp".into())));
        assert_eq!(found.result, CheckResult::Degraded);
        assert!(found.remedy.is_some() && found.found.contains("a part of the tree"), "{}", found.found);
    }
}
