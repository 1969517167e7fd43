//! The pages of commands, from the definition of the command line.

use anyhow::Result;
use clap::Command;
use clap_mangen::Man;
use gdprport_daemon::ui;
use roff::{bold, roman};

use crate::after::{After, Example};
use crate::markdown;
use crate::page::{Name, Page, Written};
use crate::{files, pages};

/// Commands whose pages, with those of their own commands, are in section 8: services, and what only root does.
const OF_ROOT: [&str; 3] = ["gdprport-daemon", "gdprport-deliver", "gdprport-privacy"];

/// Commands about one trial of a policy: each names the others.
const TRIAL: [&str; 3] = ["gdprport-policy-apply", "gdprport-policy-confirm", "gdprport-policy-revert"];

/// One page for each command.
pub(crate) fn pages() -> Result<Vec<Written>> {
    let mut root = ui::command();
    root.build();
    let exit = after(&root).exit;
    let mut written = Vec::new();
    add(&root, None, &exit, &mut written)?;
    Ok(written)
}

/// What stands behind the options of a command.
pub(crate) fn after(command: &Command) -> After {
    After::of(&command.get_after_help().map(ToString::to_string).unwrap_or_default())
}

/// The name of a command's page.
pub(crate) fn name(command: &Command) -> Name {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name());
    let is_root =
        |of: &str| name.strip_prefix(of).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'));
    Name::new(name, if OF_ROOT.into_iter().any(is_root) { 8 } else { 1 })
}

fn add(
    command: &Command,
    above: Option<&Name>,
    exit: &[(String, String)],
    written: &mut Vec<Written>,
) -> Result<()> {
    let name = name(command);
    written.push(page(command, above, exit)?);
    for below in command.get_subcommands() {
        add(below, Some(&name), exit, written)?;
    }
    Ok(())
}

fn page(command: &Command, above: Option<&Name>, exit: &[(String, String)]) -> Result<Written> {
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let after = after(command);
    let mut page = Page::begin(name(command), &about);
    let man = Man::new(command.clone());
    synopsis(&mut page, command);
    page.control("SH", &["DESCRIPTION"]);
    page.text([roman(format!("{}.", about.trim_end_matches('.')))]);
    for remark in &after.remarks {
        page.control("PP", &[]);
        page.text(markdown::inlines(remark));
    }
    page.generated(|to| man.render_options_section(to))?;
    subcommands(&mut page, command);
    page.control("SH", &["EXIT STATUS"]);
    let own = if after.exit.is_empty() { exit } else { &after.exit };
    for (code, meaning) in own {
        page.control("TP", &[]);
        page.text([bold(&**code)]);
        page.text(markdown::inlines(meaning));
    }
    let ids: Vec<&str> = command.get_arguments().map(|argument| argument.get_id().as_str()).collect();
    let paths =
        if above.is_none() { files::all()? } else { files::of(&name(command).name, ids.iter().copied())? };
    page.control("SH", &["FILES"]);
    for path in paths {
        page.control("TP", &[]);
        page.text([bold(path.path)]);
        page.text(markdown::inlines(&path.about));
    }
    environment(&mut page);
    page.control("SH", &["EXAMPLES"]);
    for (at, one) in after.examples.iter().enumerate() {
        example(&mut page, one, at == 0);
    }
    page.see_also(&others(command, above, &ids));
    Ok(page.end())
}

/// Every form in which it can be typed, as its usage has them.
fn synopsis(page: &mut Page, command: &Command) {
    page.control("SH", &["SYNOPSIS"]);
    page.control("nf", &[]);
    let usage = command.clone().render_usage().to_string();
    for form in usage.trim_start_matches("Usage:").lines() {
        page.text([bold(form.trim())]);
    }
    page.control("fi", &[]);
}

fn subcommands(page: &mut Page, command: &Command) {
    if !command.has_subcommands() {
        return;
    }
    page.control("SH", &["COMMANDS"]);
    for below in command.get_subcommands() {
        page.control("TP", &[]);
        page.text(name(below).inlines());
        page.text([roman(below.get_about().map(ToString::to_string).unwrap_or_default())]);
    }
}

/// What every command looks at.
fn environment(page: &mut Page) {
    page.control("SH", &["ENVIRONMENT"]);
    for (name, about) in [
        ("GDPRPORT_SOCKET", "The daemon's control socket where `--socket` is not given."),
        (
            "GDPRPORT_LOG",
            "What the daemon and the deliverer log: `error`, `warn`, `info` (the default), `debug` or `trace`.",
        ),
        ("NO_COLOR", "No colour unless `--color always` asks for it."),
    ] {
        page.control("TP", &[]);
        page.text([bold(name)]);
        page.text(markdown::inlines(about));
    }
}

fn example(page: &mut Page, example: &Example, first: bool) {
    if !first {
        page.control("PP", &[]);
    }
    page.control("nf", &[]);
    for line in &example.lines {
        page.text([bold(&**line)]);
    }
    page.control("fi", &[]);
    if !example.remark.is_empty() {
        page.control("RS", &["4"]);
        page.text(markdown::inlines(&example.remark));
        page.control("RE", &[]);
    }
}

/// Pages to read besides: above and below, and those of the files that the options name.
fn others(command: &Command, above: Option<&Name>, ids: &[&str]) -> Vec<Name> {
    let mut names: Vec<Name> = above.into_iter().cloned().collect();
    names.extend(command.get_subcommands().map(name));
    let own = name(command);
    if TRIAL.contains(&&*own.name) {
        names.extend(TRIAL.map(|name| Name::new(name, 1)));
        names.push(Name::new(pages::POLICY, 5));
    }
    if own.name.starts_with("gdprport-evidence") {
        names.push(Name::new(pages::CONFIGURATION, 5));
    }
    for (id, page) in [("policy", pages::POLICY), ("files", pages::POLICY), ("config", pages::CONFIGURATION)]
    {
        if ids.contains(&id) || above.is_none() {
            names.push(Name::new(page, 5));
        }
    }
    names.push(Name::new(pages::TOPICS, 7));
    let mut seen = Vec::new();
    names.retain(|name| {
        let new = !seen.contains(name);
        seen.push(name.clone());
        new
    });
    names
}
