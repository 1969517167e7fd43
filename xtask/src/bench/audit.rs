//! auditd as a peer: its configuration, the two rules, and restoring the kernel's audit settings.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use super::context::Context;
use super::instrument::Instrument;

/// Marks our rules.
pub(crate) const KEY: &str = "gdprport-bench";

/// Records that may wait for auditd; with the kernel's default of 64, callers would block.
const BACKLOG: &str = "8192";

/// Adds the rules, and registers their removal and the old settings for the end of the bench, however it ends.
///
/// # Errors
/// The kernel has no auditing, or another audit daemon is running.
pub(crate) fn enable(instrument: &mut Instrument) -> Result<()> {
    if daemon(instrument)?.is_some() {
        bail!("another audit daemon is running and would receive the records");
    }
    let before = status(instrument)?;
    let (enabled, backlog) = (field(&before, "enabled"), field(&before, "backlog_limit"));
    instrument.undo(&["auditctl", "-b", &backlog.unwrap_or(64).to_string()])?;
    instrument.undo(&["auditctl", "-e", &enabled.unwrap_or(0).to_string()])?;
    instrument.undo(&["auditctl", "-D", "-k", KEY])?;
    for args in [
        ["-b", BACKLOG].as_slice(),
        &["-a", "always,exit", "-F", "arch=b64", "-S", "connect", "-S", "accept", "-S", "accept4", "-k", KEY],
    ] {
        let argv: Vec<&str> = [&["auditctl"], args].concat();
        let done = instrument.run(&argv, false, false)?;
        if !done.success {
            bail!("the kernel refuses the rules: {}", done.stderr.lines().next().unwrap_or_default());
        }
    }
    Ok(())
}

/// The command line, with a configuration and a log of its own.
pub(crate) fn argv(context: &Context, log: &Path) -> Result<Vec<String>> {
    let dir = context.dir.join("audit");
    fs::create_dir_all(dir.join("plugins")).context("cannot make a folder")?;
    let text = format!(
        "local_events = yes\nwrite_logs = yes\nlog_file = {}\nlog_group = root\nlog_format = RAW\n\
         flush = INCREMENTAL_ASYNC\nfreq = 50\nmax_log_file = 1000\nnum_logs = 2\nmax_log_file_action = IGNORE\n\
         plugin_dir = {}\nspace_left = 75\nspace_left_action = IGNORE\nadmin_space_left = 50\n\
         admin_space_left_action = IGNORE\ndisk_full_action = IGNORE\ndisk_error_action = IGNORE\n",
        log.display(),
        dir.join("plugins").display()
    );
    context.write("audit/auditd.conf", &text)?;
    Ok(["auditd", "-n", "-s", "enable", "-c"]
        .map(str::to_owned)
        .into_iter()
        .chain([dir.display().to_string()])
        .collect())
}

/// The audit daemon that the kernel sends records to, if any.
pub(crate) fn daemon(instrument: &mut Instrument) -> Result<Option<u32>> {
    Ok(field(&status(instrument)?, "pid").filter(|pid| *pid > 0))
}

/// The kernel thread that passes records on: part of the cost of auditing.
pub(crate) fn kernel_thread() -> Option<u32> {
    let processes = fs::read_dir("/proc").ok()?;
    processes.flatten().find_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let name = fs::read_to_string(entry.path().join("comm")).ok()?;
        (name.trim() == "kauditd").then_some(pid)
    })
}

/// Removes the rules and stops auditing.
pub(crate) fn disable(instrument: &mut Instrument) -> Result<()> {
    for args in [["-D", "-k", KEY].as_slice(), &["-e", "0"]] {
        let argv: Vec<&str> = [&["auditctl"], args].concat();
        let done = instrument.run(&argv, false, false)?;
        if !done.success {
            bail!("`{}` failed: {}", argv.join(" "), done.stderr);
        }
    }
    Ok(())
}

fn status(instrument: &mut Instrument) -> Result<String> {
    let asked = instrument.run(&["auditctl", "-s"], false, true)?;
    if !asked.success {
        bail!("this kernel has no auditing: {}", asked.stderr.lines().next().unwrap_or_default());
    }
    Ok(asked.stdout)
}

/// A number of `auditctl -s`.
fn field(status: &str, key: &str) -> Option<u32> {
    status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' ')?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::field;

    #[test]
    fn the_kernels_audit_settings_are_read() {
        let status = "enabled 0\nfailure 1\npid 812\nbacklog_limit 64\nbacklog 3\n";
        assert_eq!(field(status, "pid"), Some(812));
        assert_eq!(field(status, "backlog"), Some(3));
        assert_eq!(field(status, "lost"), None);
    }
}
