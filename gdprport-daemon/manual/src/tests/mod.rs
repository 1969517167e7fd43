//! What the command line says of itself, in `--help`, in the manual and in the completions.

mod help;
mod reference;
mod shells;
mod written;

use clap::Command;
use gdprport_daemon::ui;

/// Every command, with the words that name it.
fn every_command() -> Vec<(String, Command)> {
    let mut root = ui::command().term_width(80);
    root.build();
    let mut all = Vec::new();
    let mut left = vec![root];
    while let Some(command) = left.pop() {
        left.extend(command.get_subcommands().cloned());
        all.push((command.get_bin_name().unwrap_or("gdprport").to_owned(), command));
    }
    assert!(all.len() > 25, "{}", all.len());
    all
}
