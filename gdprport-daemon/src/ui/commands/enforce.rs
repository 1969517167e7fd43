//! `enforce off` and `on`: the emergency brake.

use anyhow::{anyhow, bail};

use super::super::cli::{EnforceCommand, OffArgs, OnArgs};
use super::super::exit::Exit;
use super::super::format::{clean, clean_lines, counted};
use super::super::screen::Output;
use super::waiting::runtime;
use crate::app::{Brake, Released, release};
use crate::control::client::{ClientError, ControlClient};

pub(super) fn run(
    command: &EnforceCommand,
    client: &ControlClient,
    out: &mut Output,
) -> anyhow::Result<Exit> {
    match command {
        EnforceCommand::Off(args) => off(args, out),
        EnforceCommand::On(args) => on(args, client, out),
    }
}

fn off(args: &OffArgs, out: &mut Output) -> anyhow::Result<Exit> {
    let brake = Brake::beside(&args.config);
    let path = clean(&brake.path().display().to_string()).into_owned();
    // The mark first: a daemon that puts its policy in force at this moment would do so after the kernel was released.
    let marked = brake.pull(&args.why);
    let Released { loaded, deciding } =
        release().map_err(|error| anyhow!("connections may still be denied: {error}; run this as root"))?;
    let found = match (loaded, deciding) {
        (0, _) => "no daemon's programs are loaded".to_owned(),
        (_, 0) => "nothing was enforced before".to_owned(),
        (_, some) => format!("{} enforced until now", counted(some as u64, "policy")),
    };
    out.text(&format!("every connection passes: {found}\n"))?;
    if let Err(error) = marked {
        bail!(
            "the mark {path} cannot be written: {error}; a daemon that reloads or starts enforces again: stop it, or mend that"
        );
    }
    out.text(&format!("until `sudo gdprport enforce on`; the mark is {path}\n"))?;
    Ok(Exit::Fine)
}

fn on(args: &OnArgs, client: &ControlClient, out: &mut Output) -> anyhow::Result<Exit> {
    let brake = Brake::beside(&args.config);
    let path = clean(&brake.path().display().to_string()).into_owned();
    let was = brake
        .let_go()
        .map_err(|error| anyhow!("cannot remove the mark {path}: {error}; run this as root"))?;
    if !was {
        out.text("the brake was not pulled\n")?;
        return Ok(Exit::Fine);
    }
    match runtime()?.block_on(client.reload()) {
        Ok(reply) if reply.value.applied => out.text("the policy is enforced again\n")?,
        Ok(reply) => {
            bail!(
                "the brake is let go, and the daemon has refused the policy:\n{}",
                clean_lines(&reply.value.problems)
            );
        }
        Err(ClientError::NoDaemon(_)) => out.text("no daemon runs; the next one enforces its policy\n")?,
        Err(error) => {
            bail!(
                "the brake is let go, and the daemon does not know: {error}; run `sudo gdprport daemon reload`"
            )
        }
    }
    Ok(Exit::Fine)
}
