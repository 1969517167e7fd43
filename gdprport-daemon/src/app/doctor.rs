//! What this kernel and these privileges allow, and how to mend what is missing.

use crate::control::api::{Check, CheckResult, DoctorReport, Hook, HookState, Kernel};
use crate::host::cgroup::Mounts;
use crate::host::clock::HostId;
use crate::host::probes::catalog::HOOKS;
use crate::host::probes::{self, HookState as Attached, Sizes};

use super::status::hook;

/// Examines this host. `running` are the hooks of a daemon that runs in this process; without one they are
/// tried: loaded, attached for an instant and taken back.
#[must_use]
pub fn examine(running: Option<&[Attached]>) -> DoctorReport {
    let host = HostId::read();
    let release = host.as_ref().map_or_else(|_| String::new(), |host| host.kernel.clone());
    let cgroup2 = Mounts::read().ok().and_then(|mounts| mounts.cgroup2);
    let mut checks = vec![
        check(
            "kernel",
            probes::check_release(&release).map_err(|error| error.to_string()),
            || format!("Linux {release}; 5.10 or newer is needed"),
            "upgrade this host's kernel",
        ),
        check(
            "privileges",
            probes::check_capabilities().map_err(|error| error.to_string()),
            || "CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON are there".to_owned(),
            "run it as root (sudo gdprport …) or through its systemd unit",
        ),
        check(
            "btf",
            probes::check_btf().map_err(|error| error.to_string()),
            || "the kernel describes its types (/sys/kernel/btf/vmlinux)".to_owned(),
            "use a kernel built with CONFIG_DEBUG_INFO_BTF=y",
        ),
        check(
            "cgroup2",
            cgroup2.as_ref().map(|_| ()).ok_or_else(|| "no cgroup2 hierarchy is mounted".to_owned()),
            || {
                let place = cgroup2.as_ref().map(|place| place.display().to_string());
                format!("mounted at {}", place.unwrap_or_default())
            },
            "mount -t cgroup2 none /sys/fs/cgroup",
        ),
    ];
    checks.push(tracefs_check());
    let failed = checks.iter().any(|check| check.result == CheckResult::Failed);
    let hooks = match running {
        Some(hooks) => hooks.iter().map(hook).collect(),
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

fn check(id: &str, outcome: Result<(), String>, fine: impl FnOnce() -> String, remedy: &str) -> Check {
    let (result, found, remedy) = match outcome {
        Ok(()) => (CheckResult::Ok, fine(), None),
        Err(error) => (CheckResult::Failed, error, Some(remedy.to_owned())),
    };
    Check { id: id.to_owned(), result, found, remedy }
}

fn tracefs_check() -> Check {
    let place = probes::tracefs_place();
    Check {
        id: "tracefs".to_owned(),
        result: if place.is_some() { CheckResult::Ok } else { CheckResult::Degraded },
        found: place.as_ref().map_or_else(
            || "not mounted: processes and units that end at once may be shown without their name".to_owned(),
            |place| format!("mounted at {}", place.display()),
        ),
        remedy: place.is_none().then(|| "mount -t tracefs none /sys/kernel/tracing".to_owned()),
    }
}

/// Loads and attaches everything for an instant; it is gone when this returns.
fn try_hooks(release: &str, cgroup2: Option<std::path::PathBuf>) -> Result<Vec<Hook>, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    runtime.block_on(async {
        let small = Sizes { ring_bytes: 1 << 16, tasks: 64, execs: 64 };
        let (probes, _ring) =
            probes::Probes::load(small, release, cgroup2).map_err(|error| error.to_string())?;
        Ok(probes.hooks().iter().map(hook).collect())
    })
}

fn not_tried(why: &str) -> Vec<Hook> {
    let of_catalog = HOOKS.iter().map(|spec| Hook {
        state: HookState::Missing,
        ..hook(&Attached { spec, missing: Some(format!("not tried: {why}")) })
    });
    of_catalog.collect()
}
