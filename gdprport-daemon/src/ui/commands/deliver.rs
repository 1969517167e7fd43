//! `deliver` and `sink …`: running the deliverer, asking it, testing a receiver.

use std::path::PathBuf;

use anyhow::anyhow;

use super::super::cli::{DeliverArgs, SinkArgs, SinkCommand};
use super::super::exit::Exit;
use super::super::format::counted;
use super::super::screen::{Output, Screen};
use super::super::sinks;
use super::run::log_to_stderr;
use super::waiting::runtime;
use crate::control::DELIVER_SOCKET;
use crate::control::api::{Check, CheckResult, DeliverStatus, SinkState, Status, TestReply};
use crate::control::client::{ClientError, ControlClient, TypedReply};
use crate::control::limits::TEST_WITHIN;
use crate::deliver::{self, ConfigError, DeliverOptions};

/// Runs the deliverer in the foreground until a signal stops it.
pub(super) fn run(args: DeliverArgs, socket: Option<PathBuf>) -> anyhow::Result<Exit> {
    log_to_stderr();
    let DeliverArgs { config, state, any_owner } = args;
    deliver::run(&DeliverOptions { config, state, socket, any_owner })?;
    Ok(Exit::Fine)
}

/// `sink status` and `sink test`.
pub(super) fn sink(
    command: SinkCommand,
    socket: Option<PathBuf>,
    json: bool,
    out: &mut Output,
) -> anyhow::Result<Exit> {
    match command {
        SinkCommand::Status(args) => {
            let reply = status(socket, &args)?;
            if json {
                out.json(&reply.json)?;
            } else {
                let screen = out.screen();
                out.text(&sinks::show(&reply.value, &screen))?;
            }
            Ok(Exit::Fine)
        }
        SinkCommand::Test { name, args } => {
            let (reply, deliverer) = test(&name, socket, &args)?;
            if json {
                out.value(&reply)?;
            } else {
                let screen = out.screen();
                out.text(&sinks::tested(&reply, deliverer, &screen))?;
            }
            Ok(if reply.arrived { Exit::Fine } else { Exit::Failed })
        }
    }
}

/// What `daemon status` shows of the deliverer: nothing where the daemon writes no spool.
pub(super) fn section(status: &Status, screen: &Screen) -> anyhow::Result<String> {
    if !status.sinks.iter().any(|sink| sink.counts.name.starts_with("spool:")) {
        return Ok(String::new());
    }
    let args = SinkArgs { config: deliver::CONFIG.into(), any_owner: true };
    let socket = std::env::var_os("GDPRPORT_DELIVER_SOCKET").map(PathBuf::from);
    Ok(match runtime()?.block_on(client(socket, &args).sinks()) {
        Ok(reply) => sinks::section(&reply.value, screen),
        Err(ClientError::NoDeliverer(at)) => {
            let why = format!("none answers on {}; events wait in the spool", at.display());
            let remedy = format!(
                "sudo systemctl enable --now gdprport-deliver\n\
                 or name its socket in [deliver] of {} or GDPRPORT_DELIVER_SOCKET",
                deliver::CONFIG
            );
            sinks::no_deliverer(&why, Some(&remedy), screen)
        }
        Err(error) => sinks::no_deliverer(&error.to_string(), None, screen),
    })
}

/// Whether events are delivered, for `doctor`: nothing where no sink is configured.
pub(super) fn check() -> anyhow::Result<Option<Check>> {
    let args = SinkArgs { config: deliver::CONFIG.into(), any_owner: true };
    let read = match deliver::load(&args.config, args.any_owner) {
        Ok(read) => read,
        // What is wrong with the file is in the check of the configuration; others than root may not read it.
        Err(_) => return Ok(None),
    };
    let all = read.sinks.len() + read.faulty.len();
    if all == 0 && read.settings.timestamps.is_none() {
        return Ok(None);
    }
    let sinks = if all == 0 { "timestamps".to_owned() } else { counted(all as u64, "sink") };
    let socket = std::env::var_os("GDPRPORT_DELIVER_SOCKET").map(PathBuf::from);
    let reply = runtime()?.block_on(client(socket, &args).sinks());
    let degraded = |found: String, remedy: &str| (CheckResult::Degraded, found, Some(remedy.to_owned()));
    let (result, found, remedy) = match reply {
        _ if read.spool.enabled == Some(false) => degraded(
            format!("{sinks} configured and [spool] switched off: no event is delivered"),
            "remove `enabled = false` from [spool] of gdprport.toml, then `sudo systemctl restart gdprport`",
        ),
        Err(ClientError::NoDeliverer(at)) => degraded(
            format!(
                "{sinks} configured and no deliverer answers on {}: events wait in the spool, until it is full",
                at.display()
            ),
            "sudo systemctl enable --now gdprport-deliver",
        ),
        Err(error) => degraded(error.to_string(), "sudo gdprport doctor"),
        Ok(reply) => delivered(&reply.value),
    };
    Ok(Some(Check { id: "deliverer".to_owned(), result, found, remedy }))
}

/// What the deliverer's status means.
fn delivered(status: &DeliverStatus) -> (CheckResult, String, Option<String>) {
    let all = counted(status.sinks.len() as u64, "sink");
    let failing = status
        .sinks
        .iter()
        .filter(|sink| matches!(sink.state, SinkState::Failing | SinkState::NoSpool | SinkState::Faulty));
    let unstamped = status.timestamps.as_ref().and_then(|stamps| stamps.failure.as_ref());
    let unstamped = unstamped.map(|failure| failure.why.as_str());
    let found = match (&status.spool.error, &status.config.refused, failing.count()) {
        (Some(error), ..) => error.clone(),
        (None, Some(_), _) => "the deliverer refused its new configuration and goes on as before".to_owned(),
        (None, None, 0) if unstamped.is_some() => {
            format!("it has no timestamp of the newest checkpoint: {}", unstamped.unwrap_or_default())
        }
        (None, None, 0) => return (CheckResult::Ok, format!("it delivers to {all}"), None),
        (None, None, failing) => format!("{failing} of {all} cannot deliver; their events wait in the spool"),
    };
    (CheckResult::Degraded, found, Some("`gdprport sink status` says why".to_owned()))
}

/// What the deliverer says of itself. Where none answers because its configuration cannot be used, that is the error.
fn status(socket: Option<PathBuf>, args: &SinkArgs) -> anyhow::Result<TypedReply<DeliverStatus>> {
    let is_named = socket.is_some();
    match runtime()?.block_on(client(socket, args).sinks()) {
        Err(error @ ClientError::NoDeliverer(_)) if !is_named => {
            match deliver::load(&args.config, args.any_owner) {
                Ok(_) | Err(ConfigError::Read { .. }) => Err(error.into()),
                Err(config) => Err(config.into()),
            }
        }
        reply => Ok(reply?),
    }
}

/// The deliverer's socket: the one that was given, that the configuration names, or the usual one.
fn client(socket: Option<PathBuf>, args: &SinkArgs) -> ControlClient {
    let configured =
        || deliver::load(&args.config, args.any_owner).ok().and_then(|read| read.settings.socket);
    ControlClient::of_deliverer(&socket.or_else(configured).unwrap_or_else(|| DELIVER_SOCKET.into()))
}

/// By the deliverer (`true`), which has the secrets; where none runs by this process.
fn test(name: &str, socket: Option<PathBuf>, args: &SinkArgs) -> anyhow::Result<(TestReply, bool)> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    if name.is_empty() || !name.chars().all(plain) {
        return Err(anyhow!("{name:?} is no name of a sink: they have only a-z, 0-9 and `-`"));
    }
    let runtime = runtime()?;
    match runtime.block_on(client(socket, args).test_sink(name)) {
        Ok(reply) => return Ok((reply.value, true)),
        Err(ClientError::NoDeliverer(_)) => {}
        Err(error) => return Err(error.into()),
    }
    deliver::seal();
    let delivery = deliver::load(&args.config, args.any_owner)?;
    let config = args.config.display();
    let Some(sink) = delivery.sinks.iter().find(|sink| *sink.name == *name) else {
        if let Some(faulty) = delivery.faulty.iter().find(|sink| sink.name.as_deref() == Some(name)) {
            return Err(anyhow!("the sink `{name}` cannot be used:\n{}", faulty.problems));
        }
        let names: Vec<&str> = delivery.sinks.iter().map(|sink| &*sink.name).collect();
        return Err(match names.as_slice() {
            [] => anyhow!(
                "{config} has no [[sink]] that can be used; `gdprport help sinks` shows how one is written"
            ),
            names => anyhow!("{config} has no sink `{name}`; it has: {}", names.join(", ")),
        });
    };
    Ok((runtime.block_on(deliver::probe(sink, &deliver::this_host()?, TEST_WITHIN)), false))
}
