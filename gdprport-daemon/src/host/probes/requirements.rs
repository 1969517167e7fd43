//! What the kernel programs need of the machine.

use std::path::Path;

use super::error::LoadError;

/// Checks what the kernel programs need of the machine, without touching anything.
///
/// # Errors
/// The first thing that is missing and how to fix it.
pub(crate) fn check(release: &str, cgroup_root: Option<&Path>) -> Result<(), LoadError> {
    check_release(release)?;
    check_capabilities(effective_capabilities())?;
    check_btf()?;
    cgroup_root.map(|_| ()).ok_or(LoadError::NoCgroup2)
}

/// Capabilities by number (include/uapi/linux/capability.h), `CAP_SYS_ADMIN` includes BPF and PERFMON.
const NEEDED: [(u32, &str); 3] = [(39, "CAP_BPF"), (12, "CAP_NET_ADMIN"), (38, "CAP_PERFMON")];
const SYS_ADMIN: u32 = 21;

/// The oldest release on which the programs were measured to work.
const OLDEST: (u32, u32) = (5, 10);

/// The capabilities of this process, as bits.
#[must_use]
pub(crate) fn effective_capabilities() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    parse_effective(&status).unwrap_or(0)
}

pub(in crate::host) fn parse_effective(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(line.trim(), 16).ok()
}

/// Checks that a process with these capabilities may load programs at all.
///
/// # Errors
/// [`LoadError::Capabilities`] names every missing one.
pub(crate) fn check_capabilities(effective: u64) -> Result<(), LoadError> {
    let has = |number: u32| effective >> number & 1 == 1;
    let missing: Vec<_> = NEEDED.iter().filter(|(number, _)| !has(*number)).map(|(_, name)| *name).collect();
    let net_admin = NEEDED[1].1;
    if missing.is_empty() || (has(SYS_ADMIN) && !missing.contains(&net_admin)) {
        return Ok(());
    }
    Err(LoadError::Capabilities {
        needed: "CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON",
        missing: missing.join(", "),
    })
}

/// Checks the kernel's release, as `uname -r` gives it.
///
/// # Errors
/// [`LoadError::TooOld`]. A release that cannot be parsed passes: the kernel itself will refuse.
pub(crate) fn check_release(release: &str) -> Result<(), LoadError> {
    match version(release) {
        Some(version) if version < OLDEST => Err(LoadError::TooOld { release: release.to_owned() }),
        _ => Ok(()),
    }
}

/// True if the kernel's release is known to be at least this one.
pub(super) fn is_at_least(release: &str, least: (u32, u32)) -> bool {
    version(release).is_some_and(|version| version >= least)
}

/// The first two numbers of a release, if it begins with them.
fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(['.', '-']).map_while(|part| part.parse::<u32>().ok());
    Some((numbers.next()?, numbers.next()?))
}

/// Checks that the kernel describes its own types.
///
/// # Errors
/// [`LoadError::NoBtf`].
pub(crate) fn check_btf() -> Result<(), LoadError> {
    if Path::new("/sys/kernel/btf/vmlinux").exists() { Ok(()) } else { Err(LoadError::NoBtf) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_missing_capability_is_named() {
        let error = check_capabilities(1 << 12).expect_err("two are missing").to_string();
        assert!(error.contains("lacks CAP_BPF, CAP_PERFMON"), "{error}");
        assert!(check_capabilities(0).is_err());
    }

    #[test]
    fn cap_sys_admin_includes_bpf_and_perfmon_but_not_net_admin() {
        assert!(check_capabilities(1 << 21 | 1 << 12).is_ok());
        assert!(check_capabilities(1 << 21).is_err());
    }

    #[test]
    fn kernels_before_5_10_are_refused_by_name() {
        let error = check_release("5.4.0-42-generic").expect_err("too old").to_string();
        assert!(error.contains("Linux 5.4.0-42-generic is too old"), "{error}");
        for release in ["5.10.0-28-cloud-amd64", "6.1.0", "6.18.44-fc", "7.3-rc1", "weird"] {
            assert!(check_release(release).is_ok(), "{release}");
        }
    }

    #[test]
    fn the_effective_set_is_read_from_status() {
        assert_eq!(parse_effective("Name:\tx\nCapEff:\t00000000a80425fb\n"), Some(0xa804_25fb));
        assert_eq!(parse_effective("nothing"), None);
    }
}
