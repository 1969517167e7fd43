//! gdprport's developer commands: what a newcomer types from the README, and what the project's own checks type.
//! Each command is a module; this file only parses the command line.

mod bench;
mod build;
mod checks;
mod ci;
mod docs;
mod fresh;
mod fuzz;
mod image;
mod lint;
mod man;
mod miri;
mod package;
mod pictures;
mod run;
mod setup;
mod sh;
mod side_by_side;
mod step;
mod suite;
mod vm;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// gdprport's developer commands.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask", disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Install what building needs and is missing; safe to repeat
    Setup {
        /// Also the servers and tools that the end-to-end tests talk to
        #[arg(long)]
        test_servers: bool,
        /// Also what makes packages
        #[arg(long)]
        packaging: bool,
    },
    /// Build the kernel programs and the daemon
    Build {
        /// With optimisation
        #[arg(long)]
        release: bool,
    },
    /// Set up, build and run the daemon in the foreground
    Run {
        /// Passed on to `gdprport daemon run`
        #[arg(last = true)]
        args: Vec<String>,
    },
    /// Set up, build and run every test; CI=true makes a skipped case a failure
    Test {
        /// Only the tests whose name contains this
        filter: Option<String>,
        /// Passed on to the test programs
        #[arg(last = true)]
        args: Vec<String>,
    },
    /// Everything that continuous integration runs; it takes about an hour
    Ci,
    /// Check format, lints, documentation, repository checks and dependencies
    Lint,
    /// Render the documentation as a book, in target/book/html
    Docs {
        /// Build mdBook first where there is none
        #[arg(long)]
        install: bool,
    },
    /// Make the root directory of a container image, with the program and its shared libraries, in target/image
    Image {
        /// The program; target/release/gdprport when left out
        #[arg(long)]
        binary: Option<PathBuf>,
        /// Another directory
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// Draw the pictures of README.md again
    Pictures,
    /// Feed hostile bytes to everything that reads bytes from outside; a find is a failure
    Fuzz(fuzz::Options),
    /// Write the manual pages and completions to target/man and target/completions
    Man,
    /// Interpret the tests of the parsers, so that every access to memory is checked; needs rustup
    Miri,
    /// Measure the budgets against no monitor, a floor and the peers; needs root and a quiet machine
    Bench(bench::Options),
    /// Run the end-to-end promises, or a command, on the kernels of Debian's releases in virtual machines
    Vm(vm::Options),
    /// Make the packages for Debian and for distributions with RPM, from one binary that runs on all of them
    Package(package::Options),
    /// Bootstrap a bare Debian 12 in a folder and type the README's commands in it, as a newcomer would
    Fresh {
        /// Where the root is made; a new folder under the system's temporary one when left out
        #[arg(long)]
        dir: Option<PathBuf>,
        /// Leave the root in place afterwards
        #[arg(long)]
        keep: bool,
    },
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Setup { test_servers, packaging } => setup::run(setup::Scope { test_servers, packaging }),
        Command::Build { release } => build::run(release),
        Command::Run { args } => run::run(&args),
        Command::Test { filter, args } => suite::run(filter.as_deref(), &args),
        Command::Ci => return ci::run(),
        Command::Lint => lint::run(),
        Command::Docs { install } => docs::run(install),
        Command::Image { binary, out } => image::run(binary, out),
        Command::Pictures => pictures::run(),
        Command::Fuzz(options) => fuzz::run(&options),
        Command::Man => man::run(),
        Command::Miri => miri::run(),
        Command::Bench(options) => bench::run(&options),
        Command::Vm(options) => vm::run(&options),
        Command::Package(options) => package::run(&options),
        Command::Fresh { dir, keep } => fresh::run(dir, keep),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
