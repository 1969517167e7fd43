//! The command line: what can be typed, and how it is explained.
//!
//! Belongs here: clap definitions only. What commands do is `commands`'.

mod apply;
mod audit;
mod deliver;
mod enforce;
mod evidence;
mod explain;
mod flows;
mod help;
mod incident;
mod init;
mod language;
mod learn;
mod period;
mod policy;
mod privacy;
mod report;
mod since;
mod top;

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use gdprport_core::encode::Encoding;

use crate::app::{Config, DEFAULT_PINS};

pub(super) use apply::ApplyArgs;
pub(super) use audit::AuditArgs;
pub(super) use deliver::{DeliverArgs, SinkArgs, SinkCommand};
pub(super) use enforce::{EnforceCommand, OffArgs, OnArgs};
pub(super) use evidence::{EraseArgs, EvidenceCommand, ExportArgs, RotateKeyArgs, VerifyArgs};
pub(super) use explain::{ExplainArgs, MadeUp};
pub(super) use flows::FlowsArgs;
pub(super) use help::HelpArgs;
pub(super) use incident::IncidentArgs;
pub(super) use init::InitArgs;
pub(super) use learn::{DiffArgs, LearnArgs, ReplayArgs};
use period::watch_period;
pub(super) use policy::PolicyCommand;
pub(super) use privacy::{PrivacyCommand, ResolveArgs, RotateArgs};
pub(super) use report::{Form, ReportArgs, ReportCommand};
pub(super) use since::{NotYet, Since};
pub(super) use top::TopArgs;

/// Watches the TCP ports through which personal data travels, and proves what it saw.
#[derive(Debug, Parser)]
#[command(
    name = "gdprport",
    version,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    // Everywhere, so that what is read in a ticket or a mail looks as on a terminal.
    max_term_width = 80,
    after_help = "\
Examples:
  sudo gdprport scan                   what listens and talks; needs no daemon
  sudo gdprport audit                  what is wrong, with evidence
  sudo gdprport report --out record    the record of processing (Art. 30)
  sudo gdprport init                   write a starter policy of what is here
  sudo gdprport daemon run             watch this host
  gdprport daemon status               is it healthy, what did it see and lose
  gdprport flows --violations          who talks now and should not
  gdprport top                         the same live, with rates and reasons
  gdprport events | jq .kind           every event as it happens, as JSON
  gdprport sink status                 does every receiver have its events
  gdprport help topics                 what the words mean; first steps

Exit status:
  0  fine
  1  failed, or findings where they were asked for
  2  wrong usage, or an invalid policy
  3  the daemon cannot be reached"
)]
pub(super) struct Cli {
    /// The daemon's control socket, instead of the one in GDPRPORT_SOCKET or /run/gdprport/control.sock; with `deliver` and
    /// `sink` the deliverer's, instead of the one that the configuration names or /run/gdprport-deliver/deliver.sock.
    #[arg(long, global = true, help_heading = "Global options", value_name = "PATH")]
    pub(super) socket: Option<PathBuf>,
    /// Print JSON for programs instead of tables for people.
    #[arg(long, global = true, help_heading = "Global options")]
    pub(super) json: bool,
    /// When to use colour: auto, always or never.
    #[arg(
        long,
        global = true,
        help_heading = "Global options",
        value_name = "WHEN",
        hide_possible_values = true,
        default_value = "auto"
    )]
    pub(super) color: Color,
    /// What to do.
    #[command(subcommand)]
    pub(super) command: TopCommand,
}

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Color {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Also into pipes and files.
    Always,
    /// Not at all.
    Never,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(super) enum TopCommand {
    /// Run the daemon, or ask it how it is doing.
    #[command(
        subcommand,
        after_help = "\
Examples:
  sudo gdprport daemon run
  gdprport daemon status"
    )]
    Daemon(DaemonCommand),
    /// List the open flows: who talks, with whom, and whether the policy allows it.
    #[command(
        override_usage = "gdprport flows [OPTIONS]",
        after_help = flows::EXAMPLES,
    )]
    Flows(FlowsArgs),
    /// Watch what is open: ports with their rates, groups of flows, the violations first, and why.
    #[command(override_usage = "gdprport top [OPTIONS] [FILTER]...", after_help = top::EXAMPLES)]
    Top(TopArgs),
    /// Print every event as it happens, one JSON object a line.
    #[command(after_help = "\
Examples:
  gdprport events | jq 'select(.kind == \"violation\")'
  gdprport events --encoding ecs                    as Elasticsearch reads it")]
    Events(EventsArgs),
    /// Show what listens and talks on this host now, in every network namespace; needs no daemon.
    #[command(
        override_usage = "gdprport scan [OPTIONS]",
        after_help = "\
Examples:
  sudo gdprport scan                        every listener and who is connected
  sudo gdprport scan --watch 30s            how connections are encrypted, too
  sudo gdprport scan --markdown > page.md   a page for a ticket or a wiki
  sudo gdprport scan --json | jq '.listeners[] | select(.declared == null)'

Services are recognized by their port and by their executable. Arguments of
processes are never read: what a virtual machine or an interpreter runs is known
by its port only. Only root sees who holds the sockets of others, and what
listens in other network namespaces; what could not be looked at is said.

Without --policy, /etc/gdprport/policy.toml and policy.d/*.toml beside it are
compared; there need be none."
    )]
    Scan(ScanArgs),
    /// Say what is wrong with the policy and the host, with evidence and what would settle it; needs no daemon.
    #[command(override_usage = "gdprport audit [OPTIONS]", after_help = audit::EXAMPLES)]
    Audit(AuditArgs),
    /// Write the record of processing activities (Art. 30 GDPR): what is declared, and what was observed; needs no daemon.
    #[command(override_usage = "gdprport report [OPTIONS] --out DIR\n       gdprport report --check DIR\n       gdprport report incident [OPTIONS] --port PORT --from WHEN", after_help = report::EXAMPLES)]
    Report(ReportArgs),
    /// Write a starter policy of what is seen on this host, for its author to complete.
    #[command(override_usage = "gdprport init [OPTIONS]", after_help = init::EXAMPLES)]
    Init(InitArgs),
    /// Send what the spool holds to the receivers of the configuration, in the foreground, until SIGTERM or SIGINT.
    #[command(override_usage = "gdprport deliver [OPTIONS]", after_help = deliver::EXAMPLES)]
    Deliver(DeliverArgs),
    /// Ask the deliverer how its sinks are, or test a receiver.
    #[command(subcommand, after_help = deliver::SINK_EXAMPLES)]
    Sink(SinkCommand),
    /// The emergency brake: let every connection pass, whatever the policy says; needs no daemon.
    #[command(subcommand, after_help = enforce::EXAMPLES)]
    Enforce(EnforceCommand),
    /// Verify the evidence log of a host, print its checkpoint or key, erase entries, or rotate its key; needs no daemon.
    #[command(subcommand, after_help = evidence::EXAMPLES)]
    Evidence(EvidenceCommand),
    /// Show what this kernel and these privileges allow, and how to fix what is missing.
    #[command(after_help = "\
Examples:
  sudo gdprport doctor
  sudo gdprport doctor --json | jq '.checks[] | select(.result != \"ok\")'

Exit status: 0 everything that is needed works, 1 something does not.")]
    Doctor,
    /// Check, explain, learn and compare policies, or put one in force.
    #[command(
        subcommand,
        after_help = "\
Examples:
  gdprport policy check
  gdprport policy explain --port customers-db --from 10.0.2.7
  gdprport help policy                      what a policy looks like"
    )]
    Policy(PolicyCommand),
    /// Make the key of pseudonyms, or find the pseudonym of a user or an address. For root; needs no daemon.
    #[command(subcommand, after_help = privacy::EXAMPLES)]
    Privacy(PrivacyCommand),
    /// Explain a topic, such as verdicts or exit-codes, or a command.
    #[command(override_usage = "gdprport help [TOPIC|COMMAND]...", after_help = help::EXAMPLES)]
    Help(HelpArgs),
}

/// `gdprport daemon …`
#[derive(Debug, Subcommand)]
pub(super) enum DaemonCommand {
    /// Watch this host, in the foreground, until SIGTERM or SIGINT.
    #[command(
        override_usage = "gdprport daemon run [OPTIONS]",
        after_help = "\
Examples:
  sudo gdprport daemon run
  sudo gdprport daemon run --policy policy.toml --events - | jq .
  sudo gdprport daemon run --events /var/log/gdprport/events.ndjson --journald

Without --policy, /etc/gdprport/policy.toml and policy.d/*.toml beside it apply.
Where there are none, the built-in catalog does: every flow on its ports is
reported, as undeclared. SIGHUP reloads the policy and reopens the events file;
SIGUSR1 only reopens the file."
    )]
    Run(RunArgs),
    /// Remove what a daemon with --pin has left attached. For root, and only while no daemon uses it.
    #[command(
        // Hidden: the list would show it as if it were an option.
        long_flag_alias = "unpin",
        override_usage = "gdprport daemon unpin [OPTIONS]",
        after_help = "\
Examples:
  sudo gdprport daemon unpin
  sudo gdprport daemon unpin --pin /sys/fs/bpf/gdprport

A daemon with --pin leaves its hooks attached when it ends by SIGTERM or is
killed, so that the next one misses nothing. Until then nobody reads what they
write. This removes them; it is no error if there are none."
    )]
    Unpin(UnpinArgs),
    /// Show health, hooks in use, policy, ports, coverage and sinks.
    #[command(after_help = "\
Examples:
  gdprport daemon status
  gdprport daemon status --json | jq .health")]
    Status,
    /// Reload the policy: it is applied as a whole, or every problem is shown and nothing changes. For root.
    #[command(after_help = "\
Examples:
  gdprport policy check && sudo gdprport daemon reload

Exit status: 0 applied, 2 refused: the policy before it stays in force.")]
    Reload,
}

/// `gdprport daemon run …`
#[derive(Debug, Clone, Args)]
pub(super) struct RunArgs {
    /// Policy file to read instead of those in /etc/gdprport; may be given several times.
    #[arg(long, value_name = "FILE")]
    pub(super) policy: Vec<PathBuf>,
    /// Read no policy file: the built-in catalog applies.
    #[arg(long, conflicts_with = "policy")]
    pub(super) no_policy: bool,
    /// Write events as JSON lines to this file, or to standard output with `-`.
    #[arg(long, value_name = "FILE|-")]
    pub(super) events: Option<EventsTarget>,
    /// Write events to the systemd journal too, with native fields.
    #[arg(long)]
    pub(super) journald: bool,
    /// How the daemon runs; every key has a default, no file is needed.
    #[arg(long, value_name = "FILE", default_value = Config::PLACE)]
    pub(super) config: PathBuf,
    /// Keep the ledger, which counts every flow, in this file instead of the one that the configuration names.
    #[arg(long, value_name = "PATH")]
    pub(super) ledger: Option<PathBuf>,
    /// Keep no ledger: only what is open is known, and nothing of the past.
    #[arg(long, conflicts_with = "ledger")]
    pub(super) no_ledger: bool,
    /// Write the spool, which `gdprport deliver` reads, in this directory instead of the one that the configuration names, also
    /// if the configuration has no [[sink]].
    #[arg(long, value_name = "DIR")]
    pub(super) spool: Option<PathBuf>,
    /// Keep the evidence log, which proves what was emitted, in this directory instead of the one that the configuration names.
    #[arg(long, value_name = "DIR")]
    pub(super) evidence: Option<PathBuf>,
    /// Keep the evidence log unless the configuration says `enabled = false`.
    #[arg(long)]
    pub(super) keep_evidence: bool,
    /// Take policy and configuration files that others than root can change, and log a warning for each: to try
    /// something out. Without it they are refused, because whoever writes them decides what is declared.
    #[arg(long)]
    pub(super) any_owner: bool,
    /// Pin hooks and maps in this directory of a bpffs, such as /sys/fs/bpf/gdprport: the next daemon that is
    /// given it continues where this one ended, and misses nothing in between. SIGTERM leaves them there, SIGINT
    /// and `gdprport daemon unpin` do not.
    #[arg(long, value_name = "DIR")]
    pub(super) pin: Option<PathBuf>,
}

/// `gdprport daemon unpin …`
#[derive(Debug, Clone, Args)]
pub(super) struct UnpinArgs {
    /// The directory that the daemon was given.
    #[arg(long, value_name = "DIR", default_value = DEFAULT_PINS)]
    pub(super) pin: PathBuf,
    /// For ExecStopPost of a systemd unit: keep what is pinned if this unit is about to start again.
    #[arg(long, value_name = "UNIT")]
    pub(super) unless_restarting: Option<String>,
}

/// Where `--events` points.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum EventsTarget {
    /// `-`: standard output.
    Stdout,
    /// A file, appended to.
    File(PathBuf),
}

impl From<&str> for EventsTarget {
    fn from(text: &str) -> Self {
        if text == "-" { Self::Stdout } else { Self::File(text.into()) }
    }
}

/// `gdprport scan …`
#[derive(Debug, Clone, Args)]
pub(super) struct ScanArgs {
    /// Policy file to compare with, instead of those in /etc/gdprport; may be given several times.
    #[arg(long, value_name = "FILE")]
    pub(super) policy: Vec<PathBuf>,
    /// Compare with policy files that others than root can change too.
    #[arg(long)]
    pub(super) any_owner: bool,
    /// Watch connections for so long too, from 1s to 1h: loads the sensor's programs, beside a daemon's, and shows how
    /// connections are encrypted and who came and went. For root.
    #[arg(long, value_name = "TIME", value_parser = watch_period)]
    pub(super) watch: Option<Duration>,
    /// Print a page of Markdown instead of tables.
    #[arg(long, conflicts_with = "json")]
    pub(super) markdown: bool,
}

/// `gdprport events …`
#[derive(Debug, Clone, Args)]
pub(super) struct EventsArgs {
    /// Print events from now on, until interrupted: it is what happens without this option too, as past events
    /// are in the daemon's sinks.
    #[arg(long)]
    pub(super) follow: bool,
    /// Print them as a receiver gets them, one record a line, also on a terminal.
    #[arg(long, value_name = "ENCODING", value_parser = encoding())]
    pub(super) encoding: Option<Encoding>,
}

/// Reads the name of an encoding.
fn encoding() -> impl TypedValueParser<Value = Encoding> {
    let names = Encoding::ALL.iter().map(|encoding| encoding.as_str());
    PossibleValuesParser::new(names).try_map(|name| Encoding::named(&name).ok_or("no encoding has this name"))
}

#[cfg(test)]
mod tests;
