//! `privacy`: a new key, and the pseudonyms of what somebody names.

use anyhow::bail;
use gdprport_core::privacy::{Accounts, Privacy};
use jiff::Timestamp;
use serde::Serialize;

use super::super::cli::{PrivacyCommand, ResolveArgs, RotateArgs};
use super::super::exit::Exit;
use super::super::screen::Output;
use crate::app::{Config, Trust, read_key, rotate};

pub(super) fn run(command: PrivacyCommand, json: bool, out: &mut Output) -> anyhow::Result<Exit> {
    match command {
        PrivacyCommand::Rotate(args) => make(&args, json, out),
        PrivacyCommand::Resolve(args) => resolve(&args, json, out),
    }
}

#[derive(Serialize)]
struct Made {
    key: String,
    path: String,
    /// Where the one before is kept.
    kept: Option<String>,
    /// Older ones that were removed.
    removed: Vec<String>,
}

fn make(args: &RotateArgs, json: bool, out: &mut Output) -> anyhow::Result<Exit> {
    let path = match &args.key {
        Some(path) => path.clone(),
        None => match Config::load(&args.config, Trust::RootOnly)?.privacy.key {
            Some(path) => path,
            None => bail!(
                "{} names no key: write `key = \"/etc/gdprport/keys/pseudonyms\"` under [privacy], or give --key FILE",
                args.config.display()
            ),
        },
    };
    let rotated = rotate(&path, args.keep, Timestamp::now())?;
    let shown = |path: &std::path::PathBuf| path.display().to_string();
    let made = Made {
        key: rotated.key.to_string(),
        path: shown(&path),
        kept: rotated.files.kept.as_ref().map(shown),
        removed: rotated.files.removed.iter().map(shown).collect(),
    };
    if json {
        out.value(&made)?;
        return Ok(Exit::Fine);
    }
    let mut text = format!("{} has the new key {}\n", made.path, made.key);
    if let Some(kept) = &made.kept {
        text.push_str(&format!(
            "{kept} has the one before: pseudonyms of it can be found as long as it is there\n"
        ));
    }
    for removed in &made.removed {
        text.push_str(&format!("{removed} is removed: nobody finds pseudonyms of it any more\n"));
    }
    text.push_str(
        "a daemon that runs goes on with the key that it was started with: `systemctl restart gdprport`\n",
    );
    out.text(&text)?;
    Ok(Exit::Fine)
}

#[derive(Serialize)]
struct Resolved {
    key: String,
    pseudonyms: Vec<Pseudonym>,
}

#[derive(Serialize)]
struct Pseudonym {
    of: String,
    pseudonym: String,
}

fn resolve(args: &ResolveArgs, json: bool, out: &mut Output) -> anyhow::Result<Exit> {
    let config = Config::load(&args.config, Trust::RootOnly)?.privacy;
    let Some(path) = args.key.as_ref().or(config.key.as_ref()) else {
        bail!(
            "{} names no key: give --key FILE, which may also be an old one (`FILE.until-…`)",
            args.config.display()
        );
    };
    let key = read_key(path, Trust::RootOnly)?;
    let id = key.id().to_string();
    let privacy = Privacy::new(Some(key.clone()), Some(key), config.truncate, Accounts::default());
    let Some(privacy) = privacy else { unreachable!("there is a key") };
    let of = |of: String, pseudonym: String| Pseudonym { of, pseudonym };
    let users = args.user.iter().map(|name| of(name.clone(), privacy.user_name(name)));
    let ids = args.uid.iter().map(|id| of(id.to_string(), privacy.id(*id).to_string()));
    let addresses = args.address.iter().map(|ip| of(ip.to_string(), privacy.address(*ip).to_string()));
    let resolved = Resolved { key: id, pseudonyms: users.chain(ids).chain(addresses).collect() };
    if json {
        out.value(&resolved)?;
    } else {
        let lines = resolved.pseudonyms.iter().map(|found| format!("{} is {}\n", found.of, found.pseudonym));
        out.text(&format!("by the key {}:\n{}", resolved.key, lines.collect::<String>()))?;
    }
    Ok(Exit::Fine)
}
