//! The subjects of the measurements: the product, the floor and the peers; how each is started and stopped, and why one
//! is skipped.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::json;

use super::audit;
use super::context::Context;
use super::instrument::{INT, Instrument, TERM, wait_for};
use super::memory::Memory;
use super::product::{Setup, declared, gdprport, policy, unpin};
use crate::sh;

/// The watched port of the pairs.
pub(crate) const WATCHED: u16 = 47_001;
/// Nobody watches it.
pub(crate) const UNWATCHED: u16 = 47_002;
/// Watched; connections one after the other.
pub(crate) const ONE_BY_ONE: u16 = 47_003;
/// Watched; eight at a time.
pub(crate) const CROWD: u16 = 47_004;
/// Watched; a process for each.
pub(crate) const PROCESSES: u16 = 47_005;
/// Watched; a database.
pub(crate) const DATABASE: u16 = 47_006;

/// How long a monitor may take to become ready.
const START: Duration = Duration::from_secs(20);

/// Something that watches connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Subject {
    /// As it is without a word about what a port sends: the default, which sums up busy groups. With everything that a
    /// host with a receiver has: pinned hooks, the ledger, the spool and a file.
    Gdprport,
    /// The same with `emit = "every"`: what is named wrongly shows only where every event is written.
    Every,
    /// The least possible monitor (`gdprport-ebpf/src/floor.rs`).
    Floor,
    /// The product's hooks, with programs that return at once.
    Hooks,
    /// The same without the packet hooks, which detect encryption.
    HooksNoSkb,
    /// libbpf-tools' `tcplife`.
    Tcplife,
    /// A script on the tracepoint `inet_sock_set_state`.
    Bpftrace,
    /// `ss -E`: the kernel's notifications of destroyed sockets.
    Ss,
    /// `conntrack -E`, with connection tracking switched on for it.
    Conntrack,
    /// auditd with rules for connect and accept.
    Auditd,
}

#[derive(Debug)]
pub(crate) struct Running {
    subject: Subject,
    /// Its processes, and kernel threads that work only for it.
    pub(crate) pids: Vec<u32>,
    pub(crate) output: PathBuf,
    /// The program and its pins, if it leaves some.
    pinned: Option<(PathBuf, PathBuf)>,
}

impl Subject {
    /// All, in the order in which they are measured. auditd comes last: once auditing was enabled, every process that
    /// is started later costs a little more, until the next boot.
    pub(crate) const ALL: [Self; 10] = [
        Self::Gdprport,
        Self::Every,
        Self::Floor,
        Self::Hooks,
        Self::HooksNoSkb,
        Self::Tcplife,
        Self::Bpftrace,
        Self::Ss,
        Self::Conntrack,
        Self::Auditd,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Gdprport => "gdprport",
            Self::Every => "gdprport, every",
            Self::Floor => "floor",
            Self::Hooks => "hooks alone",
            Self::HooksNoSkb => "hooks, no skb",
            Self::Tcplife => "tcplife",
            Self::Bpftrace => "bpftrace",
            Self::Ss => "ss -E",
            Self::Conntrack => "conntrack -E",
            Self::Auditd => "auditd",
        }
    }

    /// The program that must be installed, and Debian's package.
    fn needs(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Gdprport | Self::Every | Self::Floor | Self::Hooks | Self::HooksNoSkb => &[],
            Self::Tcplife => &[("tcplife", "libbpf-tools")],
            Self::Bpftrace => &[("bpftrace", "bpftrace")],
            Self::Ss => &[("ss", "iproute2")],
            Self::Conntrack => &[("conntrack", "conntrack"), ("nft", "nftables")],
            Self::Auditd => &[("auditd", "auditd"), ("auditctl", "auditd")],
        }
    }

    /// Debian's packages for all peers.
    pub(crate) fn packages() -> Vec<&'static str> {
        let mut packages: Vec<_> =
            Self::ALL.iter().flat_map(|subject| subject.needs()).map(|(_, package)| *package).collect();
        packages.sort_unstable();
        packages.dedup();
        packages
    }

    /// Lines that it reports of one connection within the host, or events, those counted in sums included; 0 where it does
    /// not report each.
    pub(crate) fn per_connection(self) -> u64 {
        match self {
            // Both ends are reported, each as opened and closed.
            Self::Gdprport | Self::Every => 4,
            Self::Floor | Self::Hooks | Self::HooksNoSkb => 0,
            Self::Conntrack => 1,
            Self::Tcplife | Self::Bpftrace | Self::Ss | Self::Auditd => 2,
        }
    }

    /// Whether it reports processes.
    pub(crate) fn names_processes(self) -> bool {
        matches!(self, Self::Every | Self::Tcplife | Self::Bpftrace | Self::Auditd)
    }

    /// Whether it sees connections in whichever network namespace; the others are started inside that of the load on
    /// loopback.
    pub(crate) fn sees_every_namespace(self) -> bool {
        !self.is_inside()
    }

    fn is_inside(self) -> bool {
        matches!(self, Self::Ss | Self::Conntrack)
    }

    pub(crate) fn output(self, context: &Context) -> PathBuf {
        context.dir.join(format!("{}.out", self.name().replace([' ', ','], "")))
    }

    /// Starts it and waits until it is ready.
    ///
    /// # Errors
    /// It is not installed, or does not work here; the message goes into the table.
    pub(crate) fn start(self, instrument: &mut Instrument, context: &Context) -> Result<Running> {
        let ports = [WATCHED, ONE_BY_ONE, CROWD, PROCESSES];
        let text = if self == Self::Every { policy(ports) } else { declared(ports, "") };
        self.start_with(instrument, context, &text)
    }

    /// The same; if it is the product, with this policy.
    pub(crate) fn start_with(
        self,
        instrument: &mut Instrument,
        context: &Context,
        policy: &str,
    ) -> Result<Running> {
        for (program, package) in self.needs() {
            if sh::find(program).is_none() {
                bail!("`{program}` is not installed (Debian: {package})");
            }
        }
        let output = self.output(context);
        // An earlier run's output must not be counted.
        let _ = fs::remove_file(&output);
        let argv = self.argv(context, &output, policy)?;
        match self {
            Self::Conntrack => track(instrument)?,
            Self::Auditd => audit::enable(instrument)?,
            _ => {}
        }
        let own_file = matches!(self, Self::Gdprport | Self::Every | Self::Auditd);
        let stderr = context.dir.join("stderr");
        let started = instrument.ask(&json!({
            "do": "start", "name": self.name(), "argv": argv,
            "stdout": (!own_file).then_some(&output), "stderr": stderr,
            "inside": self.is_inside(),
        }))?;
        let pid = started["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok()).context("no pid")?;
        let product = matches!(self, Self::Gdprport | Self::Every);
        let pinned = product.then(|| (context.gdprport.clone(), context.pins.clone()));
        let mut running = Running { subject: self, pids: vec![pid], output, pinned };
        if !running.is_ready(instrument)? {
            let stderr = fs::read_to_string(&stderr).unwrap_or_default();
            running.stop(instrument)?;
            bail!("does not start here: {}", reason(&stderr));
        }
        if self == Self::Auditd {
            running.pids.extend(audit::kernel_thread());
        }
        Ok(running)
    }

    fn argv(self, context: &Context, output: &Path, policy: &str) -> Result<Vec<String>> {
        let args = |args: &[&str]| args.iter().map(|arg| (*arg).to_owned()).collect::<Vec<_>>();
        let path = |path: &Path| path.display().to_string();
        let held =
            |role: &str| vec![path(&context.bench), role.into(), path(&context.floor), WATCHED.to_string()];
        Ok(match self {
            Self::Gdprport | Self::Every => {
                gdprport(context, &[context.write("policy.toml", policy)?], output, Setup::Packaged)?
            }
            Self::Floor => held("floor"),
            Self::Hooks => held("hooks"),
            Self::HooksNoSkb => held("hooks-no-skb"),
            Self::Tcplife => args(&["tcplife"]),
            Self::Bpftrace => args(&["bpftrace", "-q", "-e", &bpftrace_script()]),
            Self::Ss => args(&["ss", "-E", "-t", "-n"]),
            Self::Conntrack => args(&["conntrack", "-E", "-e", "NEW", "-p", "tcp"]),
            Self::Auditd => audit::argv(context, output)?,
        })
    }
}

impl Running {
    /// Waits until it is ready; false if it exited instead.
    fn is_ready(&mut self, instrument: &mut Instrument) -> Result<bool> {
        let ready = wait_for(START, || {
            if instrument.ask(&json!({ "do": "alive", "name": self.subject.name() }))? != true {
                return Ok(true);
            }
            Ok(match self.subject {
                Subject::Gdprport | Subject::Every => contains(&self.output, "\"policy.applied\""),
                Subject::Floor | Subject::Hooks | Subject::HooksNoSkb => contains(&self.output, "ready"),
                Subject::Tcplife | Subject::Bpftrace => {
                    instrument.programs(&self.pids)?.iter().any(|program| program.held)
                }
                Subject::Ss | Subject::Conntrack => true,
                Subject::Auditd => audit::daemon(instrument)? == self.pids.first().copied(),
            })
        })?;
        // Covers the time between loading and attaching, and work done once at the start.
        std::thread::sleep(Duration::from_millis(if self.subject == Subject::Bpftrace { 600 } else { 250 }));
        let alive = instrument.ask(&json!({ "do": "alive", "name": self.subject.name() }))? == true;
        Ok(ready && alive)
    }

    /// Memory that is resident; bytes.
    pub(crate) fn resident(&self) -> Memory {
        self.pids.first().map_or(Memory::default(), |pid| Memory::of((*pid).into()))
    }

    /// Stops it and restores the machine.
    ///
    /// # Errors
    /// The instrument is gone, or the machine could not be restored.
    pub(crate) fn stop(self, instrument: &mut Instrument) -> Result<()> {
        let signal = match self.subject {
            Subject::Tcplife | Subject::Bpftrace | Subject::Ss => INT,
            _ => TERM,
        };
        instrument.ask(&json!({ "do": "stop", "name": self.subject.name(), "signal": signal }))?;
        if let Some((gdprport, pins)) = &self.pinned {
            unpin(instrument, gdprport, pins)?;
        }
        match self.subject {
            Subject::Conntrack => {
                instrument.run(&["nft", "delete", "table", "ip", "gdprport_bench"], true, false)?;
                instrument.run(&["conntrack", "-F"], true, false)?;
            }
            Subject::Auditd => audit::disable(instrument)?,
            _ => {}
        }
        Ok(())
    }
}

/// One line for each end that is established: pid, command, its port and the peer's.
fn bpftrace_script() -> String {
    format!(
        "tracepoint:sock:inet_sock_set_state /args->protocol == 6 && args->newstate == 1 && \
         ((args->sport >= {WATCHED} && args->sport <= {DATABASE} && args->sport != {UNWATCHED}) || \
         (args->dport >= {WATCHED} && args->dport <= {DATABASE} && args->dport != {UNWATCHED}))/ \
         {{ printf(\"%d %s %d %d\\n\", pid, comm, args->sport, args->dport); }}"
    )
}

/// Switches connection tracking on in the namespace of the load.
fn track(instrument: &mut Instrument) -> Result<()> {
    let rules = "add table ip gdprport_bench; \
                 add chain ip gdprport_bench input { type filter hook input priority 0; }; \
                 add rule ip gdprport_bench input ct state new counter";
    let done = instrument.run(&["nft", rules], true, false)?;
    if !done.success {
        bail!("this kernel refuses to track connections: {}", done.stderr.lines().next().unwrap_or_default());
    }
    Ok(())
}

/// The line of a monitor's standard error that says why it ended: the first one with an error, for the product prints
/// warnings before it, or the last.
pub(crate) fn reason(stderr: &str) -> &str {
    let error = stderr.lines().find(|line| line.contains("error"));
    let last = || stderr.lines().rfind(|line| !line.trim().is_empty());
    error.or_else(last).unwrap_or("it printed nothing")
}

fn contains(path: &Path, text: &str) -> bool {
    fs::read_to_string(path).is_ok_and(|content| content.contains(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_the_error_and_no_warning_before_it() {
        assert_eq!(
            reason("p.toml:1:1: warning: no tls\np.toml:3:1: error: what is `exe`?\n"),
            "p.toml:3:1: error: what is `exe`?"
        );
        assert_eq!(reason("ready\nno permission\n\n"), "no permission");
        assert_eq!(reason(""), "it printed nothing");
    }

    #[test]
    fn every_peer_names_a_package() {
        assert!(Subject::packages().contains(&"libbpf-tools"));
    }
}
