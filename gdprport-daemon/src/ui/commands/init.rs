//! `init`: from a look at the host or the ledger, and a few questions, to a starter policy.

use std::io::{self, IsTerminal as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use anyhow::{anyhow, bail};
use jiff::Timestamp;
use serde::Serialize;

use super::super::cli::{Color, InitArgs, ScanArgs};
use super::super::exit::Exit;
use super::super::format::{clean, counted};
use super::super::screen::{Output, choice};
use super::super::tone::Tone;
use super::ask::{Questions, ask, file};
use super::files::{ETC, open_ledger};
use super::new_file::{self, write_new};
use super::scan;
use crate::app;
use gdprport_core::learn::{self, Answers, Context, ControllerAnswer, Seen, Starter, Which};
use gdprport_core::policy::{Source, compile};

/// What `init --json` prints.
#[derive(Debug, Serialize)]
struct InitReport<'r> {
    /// The policy's text; absent if it was written to a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'r Path>,
    ports: usize,
    rules: usize,
    blanks: usize,
    unproven: u64,
    undeclared: usize,
    omitted: usize,
    /// What could not be seen.
    unseen: &'r [String],
}

/// `socket` is where a daemon would answer.
pub(super) fn run(
    args: &InitArgs,
    socket: &Path,
    json: bool,
    color: Color,
    out: &mut Output,
) -> anyhow::Result<Exit> {
    let named = new_file::asked(args.output.as_deref(), args.force)?;
    let controller = match &args.controller {
        Some(name) => Some(ControllerAnswer::new(name, args.contact.as_deref(), args.dpo.as_deref())?),
        None => None,
    };
    let now = Timestamp::now();
    let seen = if args.from_ledger { of_ledger(args, now)? } else { of_host(args, color)? };
    let services = args.service.iter().map(|answer| (answer.which.clone(), answer.carries)).collect();
    let mut answers = Answers { controller, services };
    for (which, _) in &answers.services {
        if !seen.services.iter().any(|service| learn::is_about(which, service)) {
            let which = match which {
                Which::Port(port) => format!("port {port}"),
                Which::Service(name) => clean(name).into_owned(),
            };
            say(color, Tone::Warn, &format!("warning: nothing was seen of {which}, which --service names"));
        }
    }
    let mut chosen = None;
    if !args.no_input && !json && io::stdin().is_terminal() && io::stderr().is_terminal() {
        // Answers that scroll away with what they were given for would have to be given again.
        if args.output.is_none() && out.terminal {
            chosen = file()?;
        }
        ask(&seen, &mut answers, &Questions { controller: args.controller.is_none() })?;
    }
    let output = named.or(chosen.as_deref());
    let host = app::host_name();
    let commands = next_commands(output.unwrap_or(Path::new("policy.toml")), &in_force_at(), socket);
    let shown: Vec<&str> = commands.iter().map(String::as_str).collect();
    let context = Context { host: &host, at: now, version: env!("CARGO_PKG_VERSION"), next: &shown };
    let starter = learn::starter(&seen, &answers, &context);
    // What `policy check` would refuse is never handed out.
    let source = Source { name: "the starter policy".to_owned(), text: starter.text.clone() };
    compile(&[source])
        .map_err(|problems| anyhow!("this is a fault of gdprport, please report it: {problems}"))?;
    match output {
        Some(path) => write_new(path, starter.text.as_bytes(), args.force)?,
        None if !json => out.text(&starter.text)?,
        None => {}
    }
    if json {
        let Starter { ports, rules, blanks, unproven, undeclared, omitted, .. } = starter;
        let policy = output.is_none().then_some(starter.text.as_str());
        let report = InitReport {
            policy,
            file: output,
            ports,
            rules,
            blanks,
            unproven,
            undeclared,
            omitted,
            unseen: &seen.unseen,
        };
        out.value(&report)?;
    } else {
        next(color, output, &commands, &seen, &starter);
    }
    Ok(Exit::Fine)
}

fn of_host(args: &InitArgs, color: Color) -> anyhow::Result<Seen> {
    // What the policy in force declares is declared again.
    let host = ScanArgs { policy: Vec::new(), any_owner: false, markdown: false, watch: args.watch };
    let (inventory, _) = scan::look(&host, true, color)?;
    Ok(Seen::of_inventory(&inventory))
}

fn of_ledger(args: &InitArgs, now: Timestamp) -> anyhow::Result<Seen> {
    let reader = open_ledger(args.ledger.as_deref())?;
    let summary = reader.summary()?;
    let Some(begin) = summary.begin else {
        bail!(
            "the ledger {} has nothing yet: let the daemon run, or leave --from-ledger out",
            reader.path().display()
        )
    };
    let from = args.since.moment(now)?;
    let mut seen = Seen::of_ledger(&reader.observed(from, now)?);
    if begin > from {
        seen.unseen.push(format!("nothing is known before {begin:.0}, when the ledger began"));
    }
    Ok(seen)
}

/// What there is to do next.
fn next(color: Color, output: Option<&Path>, commands: &[String], seen: &Seen, starter: &Starter) {
    let what = format!(
        "{}, {}, {} left",
        counted(starter.ports as u64, "port"),
        counted(starter.rules as u64, "rule"),
        counted(starter.blanks as u64, "blank")
    );
    let file = output.map_or_else(|| "FILE".to_owned(), |path| path.display().to_string());
    say(
        color,
        Tone::Good,
        &output.map_or_else(|| format!("\n{what}"), |_| format!("wrote {}: {what}", clean(&file))),
    );
    if starter.unproven > 0 {
        let connections = counted(starter.unproven, "connection");
        let text = if starter.unproven == 1 {
            format!("{connections} has no rule, as it is not proven whose it is; the file says which")
        } else {
            format!("{connections} have no rule, as it is not proven whose they are; the file says which")
        };
        say(color, Tone::Warn, &text);
    }
    if !seen.unseen.is_empty() {
        say(color, Tone::Warn, "something could not be seen; the file begins with what");
    }
    if starter.undeclared > 0 {
        let text = match starter.undeclared as u64 {
            1 => "1 more service stands there as a comment: --service PORT=yes declares it".to_owned(),
            more => format!(
                "{} stand there as comments: --service PORT=yes declares one",
                counted(more, "more service")
            ),
        };
        say(color, Tone::Plain, &text);
    }
    let present = in_force_at();
    match output {
        None => say(
            color,
            Tone::Plain,
            "next: keep it in a file (--output policy.toml), read it, and fill in the blanks",
        ),
        Some(_) => {
            say(color, Tone::Plain, "next: read it, fill in the blanks, then");
            for command in commands {
                say(color, Tone::Plain, &format!("  {}", clean(command)));
            }
        }
    }
    if present.exists() && output.is_none_or(|path| path != present) {
        let present = present.display();
        say(
            color,
            Tone::Warn,
            &format!(
                "there is a policy at {present} already; `diff -u {present} {}` compares them",
                clean(&file)
            ),
        );
    }
}

/// Where the policy in force is read from.
fn in_force_at() -> PathBuf {
    Path::new(ETC).join("policy.toml")
}

/// The commands that check a policy which is about to be written there and put it in force, for the file and for the terminal:
/// where a daemon runs, by a reload. One that is in force already is not written over.
fn next_commands(output: &Path, present: &Path, socket: &Path) -> Vec<String> {
    let runs = match UnixStream::connect(socket) {
        Ok(_) => true,
        Err(error) => error.kind() == io::ErrorKind::PermissionDenied,
    };
    let file = output.display();
    let reload = "sudo gdprport daemon reload".to_owned();
    let mut commands = vec![format!("gdprport policy check {file}")];
    match (output == present, runs) {
        (true, true) => commands.push(reload),
        (true, false) => commands.push("sudo gdprport daemon run".to_owned()),
        (false, true) if present.exists() => commands.push(format!("gdprport policy diff {ETC} {file}")),
        (false, true) => {
            commands.extend([format!("sudo install -D -m 644 {file} {}", present.display()), reload]);
        }
        (false, false) => {
            // In a home for example others than root can change it.
            let any_owner = if app::exposed_where_written(output) { " --any-owner" } else { "" };
            commands.push(format!("sudo gdprport daemon run --policy {file}{any_owner}"));
        }
    }
    commands
}

/// Says something to the person, beside what goes to standard output.
fn say(color: Color, tone: Tone, text: &str) {
    let mut stderr = anstream::AutoStream::new(io::stderr().lock(), choice(color, &io::stderr()));
    // Nobody may be there to read it.
    let _ = writeln!(stderr, "{}", tone.paint(text));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_commands_are_those_of_this_host() {
        let dir = tempfile::tempdir().expect("a directory");
        let (file, present) = (dir.path().join("policy.toml"), dir.path().join("etc.toml"));
        let socket = dir.path().join("control.sock");
        let commands = |output: &Path| next_commands(output, &present, &socket)[1..].join("; ");
        assert!(next_commands(&file, &present, &socket)[0].starts_with("gdprport policy check "));
        assert!(commands(&file).starts_with("sudo gdprport daemon run --policy "), "{}", commands(&file));
        assert_eq!(commands(&present), "sudo gdprport daemon run");
        let _daemon = std::os::unix::net::UnixListener::bind(&socket).expect("a socket");
        assert!(commands(&file).starts_with("sudo install "), "{}", commands(&file));
        assert!(commands(&file).ends_with("; sudo gdprport daemon reload"), "{}", commands(&file));
        assert_eq!(commands(&present), "sudo gdprport daemon reload");
        std::fs::write(&present, "").expect("a file");
        assert!(commands(&file).starts_with("gdprport policy diff /etc/gdprport "), "{}", commands(&file));
    }
}
