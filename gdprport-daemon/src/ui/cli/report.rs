//! `gdprport report …`: its options.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use gdprport_core::frameworks::Framework;

use super::incident::{self, IncidentArgs};
use super::language::Language;
use super::since::Since;
use crate::app::Config;

/// What `gdprport report --help` says besides.
pub(super) const EXAMPLES: &str = "\
Examples:
  sudo gdprport report --out record              the last 90 days
  sudo gdprport report --out record --lang de --since 2026-01-01
  sudo gdprport report --out record --format fides,dpv
  sudo gdprport report --out own --self          what gdprport itself processes
  sudo gdprport report --map                     who talks with whom, drawn here
  sudo gdprport report --out pack --pack         an evidence pack for an auditor
  gdprport report --check pack --key host.pub    whether one is unchanged
  sudo gdprport report --out pci --framework pci  what there is for controls
  gdprport report incident --help                a draft after a breach

Writes index.html (one file, no script, nothing is loaded), record.md,
record.csv (a line for each activity) and record.json; where anything was seen,
the map of data flows and the charts alone too: map.svg, map.dot (Graphviz),
map.mmd (Mermaid), chart-*.svg. What the policy declares and what the ledger has
observed stand side by side, and are never mixed. A directory that has something
else in it is left alone unless --force is given; an evidence pack replaces
nothing.

Frameworks: gdpr, pci (PCI DSS 4.0.1), nis2, dora, iso27001, soc2. What is
written is evidence for a control; whether it suffices, an auditor judges.

A pack has the checkpoints of the evidence log, and is signed with its key,
where there is one that whoever runs this can read: root, or the user of the
service.

Exit status: 0 written, or unchanged; 1 failed, or changed, or not signed by the
given key; 2 wrong usage, an invalid policy or ledger.";

/// `gdprport report …`
#[derive(Debug, Clone, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(in crate::ui) struct ReportArgs {
    #[command(subcommand)]
    pub(in crate::ui) command: Option<ReportCommand>,
    /// The directory to write; it is made if it is missing.
    #[arg(long, value_name = "DIR", required_unless_present_any = ["map", "check"])]
    pub(in crate::ui) out: Option<PathBuf>,
    /// Draw on this terminal which programs exchange data with whom; nothing is written.
    #[arg(long, conflicts_with_all = ["out", "own", "force", "format", "pack", "framework"])]
    pub(in crate::ui) map: bool,
    /// Write an evidence pack: everything that an auditor takes away, with the digest of each file.
    #[arg(long, conflicts_with = "own")]
    pub(in crate::ui) pack: bool,
    /// Write what there is for controls instead: gdpr, pci, nis2, dora, iso27001 or soc2, several with commas; with --pack, of these and not of all.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', conflicts_with = "own")]
    pub(in crate::ui) framework: Vec<Framework>,
    /// Compare an evidence pack with the digests of its files, and verify its signature.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["out", "map", "pack", "framework", "own"])]
    pub(in crate::ui) check: Option<PathBuf>,
    /// With --check: the public key that the pack has to be signed by, a file or the key itself (name+id+key).
    #[arg(long, value_name = "KEY", requires = "check", conflicts_with_all = ["out", "map"])]
    pub(in crate::ui) key: Option<String>,
    /// Since when observations are shown, as a duration (90d, 12h) or a day (2026-11-01, in UTC).
    #[arg(long, value_name = "WHEN", default_value = "90d")]
    pub(in crate::ui) since: Since,
    /// The language: en, de or fr.
    #[arg(long, value_name = "LANGUAGE", hide_possible_values = true, default_value = "en")]
    pub(in crate::ui) lang: Language,
    /// A form for another tool, besides: fides (record.fides.yml) or dpv (record.jsonld); several with commas.
    #[arg(long, value_name = "FORM", value_delimiter = ',', conflicts_with = "own")]
    pub(in crate::ui) format: Vec<Form>,
    /// Policy file to show instead of those in /etc/gdprport; may be given several times.
    #[arg(long, value_name = "FILE")]
    pub(in crate::ui) policy: Vec<PathBuf>,
    /// Show policy files that others than root can change too.
    #[arg(long)]
    pub(in crate::ui) any_owner: bool,
    /// The ledger to read instead of the host's.
    #[arg(long, value_name = "FILE", conflicts_with = "own")]
    pub(in crate::ui) ledger: Option<PathBuf>,
    /// With --pack: the evidence log whose checkpoints it gets, with the key that signs it beside it (DIR.key), instead of the host's.
    #[arg(long, value_name = "DIR", requires = "pack")]
    pub(in crate::ui) evidence: Option<PathBuf>,
    /// Write into a directory that has other files in it too.
    #[arg(long)]
    pub(in crate::ui) force: bool,
    /// Write the record of what gdprport itself processes, by its configuration, instead.
    #[arg(long = "self", id = "own")]
    pub(in crate::ui) own: bool,
    /// The configuration that --self describes.
    #[arg(long, value_name = "FILE", default_value = Config::PLACE, requires = "own")]
    pub(in crate::ui) config: PathBuf,
}

/// A form of the record that other tools import.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::ui) enum Form {
    /// A manifest of Fides (Fideslang 3.1).
    Fides,
    /// Linked data (JSON-LD) by DPCat and the Data Privacy Vocabulary.
    Dpv,
}

impl Form {
    /// Its file.
    pub(in crate::ui) const fn file(self) -> &'static str {
        match self {
            Self::Fides => "record.fides.yml",
            Self::Dpv => "record.jsonld",
        }
    }
}

/// `gdprport report …` with another subject.
#[derive(Debug, Clone, Subcommand)]
pub(in crate::ui) enum ReportCommand {
    /// Draft what Art. 33(3) GDPR asks for after a breach, of one port and one time.
    #[command(override_usage = "gdprport report incident [OPTIONS] --port PORT --from WHEN", after_help = incident::EXAMPLES)]
    Incident(Box<IncidentArgs>),
}
