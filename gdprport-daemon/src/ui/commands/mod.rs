//! What each command does: send a request, show the reply, return an exit code.

mod apply;
mod ask;
mod audit;
mod check;
mod deliver;
mod diff;
mod enforce;
mod events;
mod evidence;
mod explain;
mod files;
mod help;
mod incident;
mod init;
mod learn;
mod new_file;
mod new_folder;
mod pack;
mod past;
mod policy;
mod privacy;
mod replay;
mod report;
mod rows;
mod run;
mod scan;
mod top;
mod trial;
mod unpin;
mod waiting;

use std::path::PathBuf;

pub(super) use files::LedgerError;
use waiting::runtime;

use super::cli::{Cli, DaemonCommand, FlowsArgs, PolicyCommand, TopCommand};
use super::exit::Exit;
use super::format::clean_lines;
use super::screen::Output;
use super::{doctor, flows, reloaded, status};
use crate::app;
use crate::control::DEFAULT_SOCKET;
use crate::control::api::{CheckResult, ExplainQuery, FlowQuery};
use crate::control::client::{ClientError, ControlClient};

pub(super) fn run(cli: Cli) -> anyhow::Result<Exit> {
    // The daemon's own sink writes to standard output, which `Output` would lock; so does `top`.
    if let TopCommand::Daemon(DaemonCommand::Run(args)) = cli.command {
        let socket = cli.socket.unwrap_or_else(daemon_socket);
        return run::daemon(args, socket, cli.color);
    }
    if let TopCommand::Deliver(args) = cli.command {
        return deliver::run(args, cli.socket);
    }
    if let TopCommand::Top(args) = cli.command {
        let client = ControlClient::new(&cli.socket.unwrap_or_else(daemon_socket));
        return top::run(args, client, cli.json, cli.color);
    }
    let mut out = Output::new(cli.color);
    if let TopCommand::Sink(command) = cli.command {
        return deliver::sink(command, cli.socket, cli.json, &mut out);
    }
    let socket = cli.socket.unwrap_or_else(daemon_socket);
    let client = ControlClient::new(&socket);
    match cli.command {
        TopCommand::Daemon(DaemonCommand::Run(_))
        | TopCommand::Deliver(_)
        | TopCommand::Sink(_)
        | TopCommand::Top(_) => {
            unreachable!("handled above")
        }
        TopCommand::Daemon(DaemonCommand::Unpin(args)) => unpin::run(&args, &mut out),
        TopCommand::Daemon(DaemonCommand::Status) => {
            let reply = runtime()?.block_on(client.status())?;
            if cli.json {
                out.json(&reply.json)?;
            } else {
                let screen = out.screen();
                out.text(&status::show(&reply.value, &screen))?;
                out.text(&deliver::section(&reply.value.status, &screen)?)?;
            }
            Ok(Exit::Fine)
        }
        TopCommand::Daemon(DaemonCommand::Reload) => reload(&client, cli.json, &mut out),
        TopCommand::Flows(args) if args.follow => {
            let filter = events::EventFilter { port: args.port, violations: args.violations, flows: true };
            let format = events::Format::of(None, cli.json);
            runtime()?.block_on(events::follow(&client, &filter, format, &mut out))
        }
        TopCommand::Flows(args) if args.since.is_some() => past::run(&args, cli.json, &mut out),
        TopCommand::Init(args) => init::run(&args, &socket, cli.json, cli.color, &mut out),
        TopCommand::Flows(args) => list(&client, args, cli.json, &mut out),
        TopCommand::Events(args) => {
            let format = events::Format::of(args.encoding, cli.json);
            runtime()?.block_on(events::follow(&client, &events::EventFilter::default(), format, &mut out))
        }
        TopCommand::Audit(args) => audit::run(args, &client, cli.json, cli.color, &mut out),
        TopCommand::Report(args) => report::run(&args, cli.json, cli.color, &mut out),
        TopCommand::Enforce(command) => enforce::run(&command, &client, &mut out),
        TopCommand::Evidence(command) => evidence::run(command, &client, cli.json, &mut out),
        TopCommand::Scan(args) => scan::run(&args, cli.json, cli.color, &mut out),
        TopCommand::Doctor => {
            let mut report = match runtime()?.block_on(client.doctor()) {
                Ok(reply) => reply.value,
                Err(ClientError::NoDaemon(_)) => app::examine(None),
                // Anybody can examine the host; that the daemon did not take part has to be visible.
                Err(error @ ClientError::Denied { .. }) => {
                    eprintln!(
                        "gdprport: {}; the host was examined without its daemon",
                        clean_lines(&error.to_string())
                    );
                    app::examine(None)
                }
                Err(error) => return Err(error.into()),
            };
            report.checks.extend(deliver::check()?);
            if cli.json {
                out.value(&report)?;
            } else {
                let screen = out.screen();
                out.text(&doctor::show(&report, &screen))?;
            }
            Ok(if report.worst() == CheckResult::Failed { Exit::Failed } else { Exit::Fine })
        }
        TopCommand::Policy(PolicyCommand::Check { files, any_owner }) => {
            policy::check(files, any_owner, cli.json, &mut out)
        }
        TopCommand::Policy(PolicyCommand::Explain(args)) => match &args.flow {
            None => explain::run(&args, cli.json, &mut out),
            Some(id) => {
                let reply = runtime()?.block_on(client.explain(&ExplainQuery { flow: id.clone() }))?;
                explain::open_flow(id, &reply, cli.json, &mut out)
            }
        },
        TopCommand::Policy(PolicyCommand::Learn(args)) => learn::run(&args, cli.json, cli.color, &mut out),
        TopCommand::Policy(PolicyCommand::Replay(args)) => replay::run(&args, cli.json, &mut out),
        TopCommand::Policy(PolicyCommand::Diff(args)) => diff::run(&args, cli.json, &mut out),
        TopCommand::Policy(PolicyCommand::Apply(args)) => apply::run(&args, &client, cli.json, &mut out),
        TopCommand::Policy(PolicyCommand::Confirm) => apply::confirm(&client, cli.json, &mut out),
        TopCommand::Policy(PolicyCommand::Revert) => apply::revert(&client, cli.json, &mut out),
        TopCommand::Policy(PolicyCommand::Schema) => policy::schema(&mut out),
        TopCommand::Privacy(command) => privacy::run(command, cli.json, &mut out),
        TopCommand::Help(args) => help::run(&args, &mut out),
    }
}

/// The daemon's socket where none is given.
fn daemon_socket() -> PathBuf {
    std::env::var_os("GDPRPORT_SOCKET").map_or_else(|| DEFAULT_SOCKET.into(), PathBuf::from)
}

fn reload(client: &ControlClient, json: bool, out: &mut Output) -> anyhow::Result<Exit> {
    let reply = runtime()?.block_on(client.reload())?;
    let outcome = &reply.value;
    if json {
        out.json(&reply.json)?;
    } else {
        out.text(&reloaded::reload(outcome))?;
    }
    Ok(if outcome.applied { Exit::Fine } else { Exit::Invalid })
}

fn list(client: &ControlClient, args: FlowsArgs, json: bool, out: &mut Output) -> anyhow::Result<Exit> {
    let query = FlowQuery { port: args.port, violations: args.violations, limit: args.limit };
    let reply = runtime()?.block_on(client.flows(&query))?;
    if json {
        out.json(&reply.json)?;
    } else {
        let screen = out.screen();
        out.text(&flows::show(&reply.value, &screen))?;
    }
    Ok(Exit::Fine)
}
