//! `policy diff`: what another version of a policy means.

use std::path::Path;

use anyhow::bail;
use gdprport_core::policy::{difference, outline};

use super::super::cli::DiffArgs;
use super::super::diff::{Compared, Side, show};
use super::super::exit::Exit;
use super::super::screen::Output;
use super::files::{open_ledger, policy_files};
use crate::app::{PolicyError, PolicyFiles, Trust};

pub(super) fn run(args: &DiffArgs, json: bool, out: &mut Output) -> anyhow::Result<Exit> {
    let (before, now) = (side(&args.before, args)?, side(&args.now, args)?);
    let differences = difference(&before.outline, &now.outline);
    let same = differences.is_empty();
    let compared = Compared { same, before: &before, now: &now, differences };
    if json {
        out.value(&compared)?;
    } else {
        out.text(&show(&compared, &out.screen()))?;
    }
    Ok(if same { Exit::Fine } else { Exit::Failed })
}

/// How many digits of a digest are enough to mean one.
const DIGITS: usize = 8;

/// What begins a digest.
const SHA256: &str = "sha256:";

fn side(named: &str, args: &DiffArgs) -> anyhow::Result<Side> {
    if let Some(digits) = named.strip_prefix(SHA256) {
        return remembered(named, digits, args);
    }
    let path = Path::new(named);
    let files = if path.is_dir() {
        let files = PolicyFiles::Directory(path.to_owned());
        // A directory without a policy is the catalog to the daemon; here it is a mistake.
        if files.outline(Trust::Anyone)?.sources.is_empty() {
            bail!(
                "{named} has neither policy.toml nor policy.d/*.toml: name the files of the policy, or another directory"
            );
        }
        files
    } else {
        policy_files(vec![path.to_owned()])
    };
    let written = files.outline(Trust::Anyone)?;
    Ok(Side { name: named.to_owned(), digest: written.digest.to_string(), outline: written.outline })
}

/// A policy that applied once.
fn remembered(named: &str, digits: &str, args: &DiffArgs) -> anyhow::Result<Side> {
    if digits.len() < DIGITS || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        bail!("`{named}` is no digest: write `{SHA256}` and at least {DIGITS} of its hexadecimal digits");
    }
    let reader = open_ledger(args.ledger.as_deref())?;
    let path = reader.path().display();
    let all = reader.policies()?;
    let meant: Vec<&String> = all.iter().filter(|digest| digest.starts_with(named)).collect();
    let digest = match meant.as_slice() {
        [one] => (*one).clone(),
        [] if all.is_empty() => bail!("the ledger {path} knows no policy: none has applied yet"),
        [] => {
            let known: Vec<&str> =
                all.iter().rev().take(5).map(|digest| digest.get(..23).unwrap_or(digest)).collect();
            bail!("the ledger {path} knows no policy {named}; the latest that it knows: {}", known.join(", "))
        }
        more => bail!("{} policies of the ledger {path} begin with {named}: write more digits", more.len()),
    };
    let sources = reader.policy_text(&digest)?.unwrap_or_default();
    if sources.is_empty() {
        bail!("the ledger {path} knows that {named} applied, but not its text");
    }
    let (outline, _) = outline(&sources).map_err(PolicyError::Problems)?;
    Ok(Side { name: digest.clone(), digest, outline })
}
