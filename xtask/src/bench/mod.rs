//! `bench`: the budgets of the product, measured side by side with nothing, with a floor and with its peers.
//!
//! Belongs here: what the command line says and which part does it. Times are measured here and nowhere else; a
//! test never depends on one.

use anyhow::Result;

/// What `cargo xtask bench` was told.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Options {
    #[command(subcommand)]
    part: Option<Part>,
    #[command(flatten)]
    budgets: Budgets,
}

/// A part of the bench that is run by itself.
#[derive(Debug, clap::Subcommand)]
enum Part {
    /// Many ports, rules, flows and connections: what grows with them, and what gives way first
    Scale,
}

/// How the budgets are measured.
#[derive(Debug, Clone, clap::Args)]
struct Budgets {
    /// Fewer rounds, a few minutes in all (the default)
    #[arg(long, conflicts_with = "full")]
    quick: bool,
    /// More rounds, and the scale runs
    #[arg(long)]
    full: bool,
    /// Install the peers that Debian offers and that are missing
    #[arg(long)]
    install_peers: bool,
    /// Print Markdown, as it stands in docs/performance.md
    #[arg(long)]
    markdown: bool,
    /// End with status 1 if a budget is missed
    #[arg(long)]
    check_budgets: bool,
}

/// Measures what was asked for.
///
/// # Errors
/// Something could not be built or measured, or a budget is missed and that was asked about.
pub fn run(options: &Options) -> Result<()> {
    match &options.part {
        None => anyhow::bail!("the budgets are not measured yet: {:?}", options.budgets),
        Some(Part::Scale) => anyhow::bail!("scale is not measured yet"),
    }
}
