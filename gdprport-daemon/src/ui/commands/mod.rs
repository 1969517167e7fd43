//! What each command does: ask, show, end.

mod events;
mod files;
mod policy;
mod run;
mod unpin;

use anyhow::anyhow;
use tokio::runtime::{self, Runtime};

use super::cli::{Cli, Command, DaemonCommand, FlowsArgs, PolicyCommand};
use super::exit::Exit;
use super::format::clean_lines;
use super::screen::Out;
use super::{doctor, flows, status};
use crate::app;
use crate::control::api::{CheckResult, FlowQuery};
use crate::control::client::{Client, ClientError};

pub(super) fn run(cli: Cli) -> anyhow::Result<Exit> {
    // The daemon's own sink writes to standard output, which `Out` would lock.
    if let Command::Daemon(DaemonCommand::Run(args)) = cli.command {
        return run::daemon(args, cli.socket, cli.color);
    }
    let mut out = Out::new(cli.color);
    let client = Client::new(&cli.socket);
    match cli.command {
        Command::Daemon(DaemonCommand::Run(_)) => unreachable!("handled above"),
        Command::Daemon(DaemonCommand::Unpin(args)) => unpin::run(&args, &mut out),
        Command::Daemon(DaemonCommand::Status) => {
            let answer = runtime()?.block_on(client.status())?;
            if cli.json {
                out.json(&answer.json)?;
            } else {
                let screen = out.screen();
                out.text(&status::show(&answer.value, &screen))?;
            }
            Ok(Exit::Fine)
        }
        Command::Daemon(DaemonCommand::Reload) => reload(&client, cli.json, &mut out),
        Command::Flows(args) if args.follow => {
            let wanted = events::Wanted { port: args.port, violations: args.violations, flows: true };
            runtime()?.block_on(events::follow(&client, &wanted, cli.json, &mut out))
        }
        Command::Flows(args) => list(&client, args, cli.json, &mut out),
        Command::Events(_) => {
            runtime()?.block_on(events::follow(&client, &events::Wanted::default(), cli.json, &mut out))
        }
        Command::Doctor => {
            let report = match runtime()?.block_on(client.doctor()) {
                Ok(answer) => answer.value,
                Err(ClientError::NoDaemon(_)) => app::examine(None),
                // The host can be examined by anybody; that a daemon could not be asked has to be said.
                Err(error @ ClientError::Denied { .. }) => {
                    eprintln!(
                        "gdprport: {}; the host was examined without its daemon",
                        clean_lines(&error.to_string())
                    );
                    app::examine(None)
                }
                Err(error) => return Err(error.into()),
            };
            if cli.json {
                out.json(&serde_json::to_vec(&report)?)?;
            } else {
                let screen = out.screen();
                out.text(&doctor::show(&report, &screen))?;
            }
            Ok(if report.worst() == CheckResult::Failed { Exit::Failed } else { Exit::Fine })
        }
        Command::Policy(PolicyCommand::Check { files }) => policy::check(files, cli.json, &mut out),
        Command::Policy(PolicyCommand::Schema) => policy::schema(&mut out),
    }
}

/// A client has one thing to wait for at a time: one thread is enough.
fn runtime() -> anyhow::Result<Runtime> {
    runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| anyhow!("cannot start the async runtime: {error}"))
}

fn reload(client: &Client, json: bool, out: &mut Out) -> anyhow::Result<Exit> {
    let answer = runtime()?.block_on(client.reload())?;
    let reply = &answer.value;
    if json {
        out.json(&answer.json)?;
    } else {
        out.text(&status::reload(reply))?;
    }
    Ok(if reply.applied { Exit::Fine } else { Exit::Invalid })
}

fn list(client: &Client, args: FlowsArgs, json: bool, out: &mut Out) -> anyhow::Result<Exit> {
    let query = FlowQuery { port: args.port, violations: args.violations, limit: args.limit };
    let answer = runtime()?.block_on(client.flows(&query))?;
    if json {
        out.json(&answer.json)?;
    } else {
        let screen = out.screen();
        out.text(&flows::show(&answer.value, &screen))?;
    }
    Ok(Exit::Fine)
}
