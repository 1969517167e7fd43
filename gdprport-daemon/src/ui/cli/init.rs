//! `gdprport init …`: what can be typed.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use gdprport_core::learn::Which;

use super::period::watch_period;
use super::since::Since;

/// What `gdprport init --help` says besides.
pub(super) const EXAMPLES: &str = "\
Examples:
  sudo gdprport init                             a policy of what is here now
  sudo gdprport init --output policy.toml        into a new file
  sudo gdprport init --watch 60s                 and of what comes in a minute
  sudo gdprport init --from-ledger --since 30d   of what the daemon saw
  sudo gdprport init --service 8090=yes --service redis=no
  sudo gdprport init --controller 'Example GmbH' --contact privacy@example.org

The policy allows what was seen and nothing else. What only its author can know
(purposes, retention, the controller) is left blank, marked, and never guessed;
`gdprport policy check` accepts the file and names what is missing. What could
not be proven is a comment.

On a terminal it asks for the file, the controller, and which services carry
personal data; each question has an option, and --no-input asks none.

Exit status: 0 written, 1 failed.";

/// `gdprport init …`
#[derive(Debug, Clone, Args)]
pub(in crate::ui) struct InitArgs {
    /// Write what the daemon saw, by its ledger, instead of what is here now.
    #[arg(long)]
    pub(in crate::ui) from_ledger: bool,
    /// Watch for so long first (30s, 5m), so that short connections and how all are encrypted are seen too.
    #[arg(long, value_name = "TIME", value_parser = watch_period, conflicts_with = "from_ledger")]
    pub(in crate::ui) watch: Option<Duration>,
    /// With --from-ledger: since when, as a duration (30d, 12h) or a day (2026-11-01, in UTC).
    #[arg(long, value_name = "WHEN", default_value = "30d", requires = "from_ledger")]
    pub(in crate::ui) since: Since,
    /// With --from-ledger: the ledger to read instead of the host's.
    #[arg(long, value_name = "FILE", requires = "from_ledger")]
    pub(in crate::ui) ledger: Option<PathBuf>,
    /// Write into this file, which must not exist, instead of to standard output.
    #[arg(long, short, value_name = "FILE")]
    pub(in crate::ui) output: Option<PathBuf>,
    /// Replace the file if it exists.
    #[arg(long, requires = "output")]
    pub(in crate::ui) force: bool,
    /// The controller's name (Art. 30(1)(a) GDPR).
    #[arg(long, value_name = "NAME")]
    pub(in crate::ui) controller: Option<String>,
    /// How to reach the controller.
    #[arg(long, value_name = "TEXT", requires = "controller")]
    pub(in crate::ui) contact: Option<String>,
    /// How to reach the data protection officer.
    #[arg(long, value_name = "TEXT", requires = "controller")]
    pub(in crate::ui) dpo: Option<String>,
    /// Whether a service carries personal data, by port or by its identifier in the catalog; may be given several times.
    #[arg(long, value_name = "PORT|ID=yes|no")]
    pub(in crate::ui) service: Vec<ServiceAnswer>,
    /// Ask nothing: what has no option is left blank, and the services of the catalog are declared.
    #[arg(long, visible_alias = "yes")]
    pub(in crate::ui) no_input: bool,
}

/// An answer about a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ui) struct ServiceAnswer {
    pub(in crate::ui) which: Which,
    pub(in crate::ui) carries: bool,
}

impl FromStr for ServiceAnswer {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (which, carries) = text.split_once('=').ok_or("write it as 8090=yes or redis=no")?;
        let carries = match carries {
            "yes" => true,
            "no" => false,
            _ => return Err("behind the `=` write yes or no"),
        };
        let which = match which.trim() {
            "" => return Err("before the `=` write a port or the identifier of a service"),
            which if which.bytes().all(|byte| byte.is_ascii_digit()) => {
                let port = which.parse().ok().filter(|port| *port > 0);
                Which::Port(port.ok_or("a port is a number from 1 to 65535")?)
            }
            which => Which::Service(which.into()),
        };
        Ok(Self { which, carries })
    }
}
