//! `docs/commands.md`: every command with its `--help`, written from the definition of the command line.

use std::path::Path;

use gdprport_daemon::ui;

const FILE: &str = "docs/commands.md";

const BEGIN: &str = "\
# Commands

What `gdprport COMMAND --help` says, of every command. The same is in the manual (`man gdprport`; `cargo xtask man` writes its pages,
and completions for bash, zsh and fish), and `gdprport help topics` lists short pages about what the words mean:
[first steps](help/first-steps.md), [policy](help/policy.md), [verdicts](help/verdicts.md), [attribution](help/attribution.md),
[posture](help/posture.md), [enforcement](help/enforcement.md), [events](help/events.md), [coverage](help/coverage.md), [privacy](help/privacy.md),
[sinks](help/sinks.md), [exit codes](help/exit-codes.md).

This page is written from the definition of the command line: `GDPRPORT_BLESS=1 cargo test -p gdprport-manual`. Options that every
command takes stand with `gdprport` itself.
";

/// The heading of what every command repeats.
const GLOBAL: &str = "Global options:\n";

fn reference() -> String {
    let mut root = ui::command().term_width(80);
    root.build();
    let mut text = BEGIN.to_owned();
    add(&mut text, &root, true);
    text
}

fn add(text: &mut String, command: &clap::Command, is_root: bool) {
    let name = command.get_bin_name().unwrap_or("gdprport");
    let help = command.clone().render_long_help().to_string();
    let blocks = help.trim_end().split("\n\n").filter(|block| is_root || !block.starts_with(GLOBAL));
    let help: Vec<&str> = blocks.map(|block| block.trim_matches('\n')).collect();
    text.push_str(&format!("\n## `{name}`\n\n```\n{}\n```\n", help.join("\n\n")));
    command.get_subcommands().for_each(|below| add(text, below, false));
}

#[test]
fn the_reference_of_commands_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(FILE);
    let current = reference();
    if std::env::var_os("GDPRPORT_BLESS").is_some() {
        std::fs::write(&path, &current).expect("the page can be written");
    }
    let checked_in = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(checked_in == current, "{FILE} is not current: run the tests with GDPRPORT_BLESS=1");
}

#[test]
fn the_reference_points_to_every_topic() {
    for topic in ui::TOPICS {
        assert!(BEGIN.contains(&format!("(help/{}.md)", topic.name)), "{}", topic.name);
    }
}
