//! The completions of shells, where each shell looks for them.

use clap_complete::{Shell, generate};
use gdprport_daemon::ui;

use crate::page::Written;

/// The shells, and the file that each of them loads.
const SHELLS: [(Shell, &str); 3] =
    [(Shell::Bash, "bash/gdprport"), (Shell::Zsh, "zsh/_gdprport"), (Shell::Fish, "fish/gdprport.fish")];

/// One file for each shell.
pub(crate) fn all() -> Vec<Written> {
    SHELLS
        .map(|(shell, path)| {
            let mut text = Vec::new();
            generate(shell, &mut ui::command(), "gdprport", &mut text);
            Written { path: path.to_owned(), text: String::from_utf8_lossy(&text).into_owned() }
        })
        .into()
}
