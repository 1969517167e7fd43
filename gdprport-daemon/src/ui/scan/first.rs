//! The first screen of a daemon without a policy: what was found, what is watched, what is not known, and the next command.

use gdprport_core::catalog;
use gdprport_core::inventory::{Inventory, Listening};

use super::super::format::{clean, counted, thousands, with_alias};
use super::super::table::{Cell, Column, fact, table, wrap};
use super::super::tone::Tone;
use super::page::unread_text;
use super::words;
use crate::app::FirstLook;

/// Listeners that are shown: with the rest it is one screen of 24 lines.
const SHOWN: usize = 6;

/// The same for lines of a log.
const LOGGED: usize = 5;

/// Columns of a command that has something said beside it.
const COMMAND: usize = 39;

/// What a daemon without a policy has to say.
pub(in crate::ui) struct First<'a> {
    pub(in crate::ui) look: &'a FirstLook,
    pub(in crate::ui) host: &'a str,
    /// Whether the catalog was asked for: then no file in its place is read later either.
    pub(in crate::ui) no_policy: bool,
}

impl First<'_> {
    /// For a person at a terminal of so many columns.
    pub(in crate::ui) fn screen(&self, width: u16) -> String {
        let mut text = String::new();
        let headline = format!("No policy yet on {}: this is what there is without one", clean(self.host));
        for line in wrap(&headline, usize::from(width)) {
            text.push_str(&format!("{}\n", Tone::Strong.paint(&line)));
        }
        let add = |text: &mut String, name, tone, value: &str| text.push_str(&fact(name, tone, value, width));
        add(&mut text, "found", Tone::Plain, &self.found());
        if let Ok(inventory) = &self.look.found {
            text.push_str(&services(inventory, width));
        }
        add(&mut text, "watched", Tone::Plain, &self.watched());
        for (tone, unwatched) in self.unwatched() {
            add(&mut text, "not watched", tone, &unwatched);
        }
        add(&mut text, "not known", Tone::Plain, "who may use what, and what for: only a policy says that");
        for unread in self.unread() {
            add(&mut text, "not seen", Tone::Warn, &unread);
        }
        add(&mut text, "next", Tone::Plain, "in another terminal, while this one shows what happens:");
        for (command, why) in self.next() {
            let (command, why) = match why {
                "" => (command.to_owned(), String::new()),
                why => (format!("{command:COMMAND$}"), Tone::Dim.paint(&format!("  {why}"))),
            };
            text.push_str(&format!("    {}{why}\n", Tone::Note.paint(&command)));
        }
        text
    }

    /// For a log: each a sentence.
    pub(in crate::ui) fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!("no policy; watched: {}", self.watched())];
        let mut found = format!("found: {}", self.found());
        if let Ok(inventory) = &self.look.found {
            let known = known(inventory);
            for (at, one) in known.iter().take(LOGGED).enumerate() {
                let name = one.service.name.as_deref().unwrap_or("unknown");
                let before = if at == 0 { ": " } else { "; " };
                found.push_str(&format!(
                    "{before}{} at {}",
                    clean(name),
                    words::addresses(&one.addresses, one.port, 1)
                ));
            }
            let more = known.len().saturating_sub(LOGGED);
            if more > 0 {
                found.push_str(&format!("; {} more", thousands(more as u64)));
            }
        }
        lines.push(found);
        lines.extend(self.unwatched().into_iter().map(|(_, text)| format!("not watched: {text}")));
        lines.extend(self.unread().into_iter().map(|text| format!("not seen: {text}")));
        let next = self.next().map(|(command, _)| format!("`{command}`")).join(", ");
        lines.push(format!("next: {next}"));
        lines
    }

    fn found(&self) -> String {
        match &self.look.found {
            Ok(inventory) => {
                let elsewhere = match inventory.remote.len() as u64 {
                    0 => String::new(),
                    n => format!("; {} elsewhere in use", thousands(n)),
                };
                let known = counted(known(inventory).len() as u64, "listener");
                format!("{known} of services that usually carry personal data{elsewhere}")
            }
            Err(error) => format!("nothing, as the host cannot be looked at: {error}"),
        }
    }

    fn watched(&self) -> String {
        let ports = self.look.ports as u64;
        format!(
            "the {} of the built-in catalog, accepted and called; every flow on them is reported, as undeclared-port",
            counted(ports, "port")
        )
    }

    /// What listens and is not watched.
    fn unwatched(&self) -> Vec<(Tone, String)> {
        let Ok(inventory) = &self.look.found else { return Vec::new() };
        let is_unwatched = |one: &&Listening| catalog::by_port(one.port).is_none();
        let (known, others): (Vec<_>, Vec<_>) =
            inventory.listeners.iter().filter(is_unwatched).partition(|one| one.service.id.is_some());
        let mut texts = Vec::new();
        if let Some(first) = known.first() {
            let name = clean(first.service.name.as_deref().unwrap_or("a service"));
            let more = match known.len() - 1 {
                0 => String::new(),
                n => format!(" and {}", counted(n as u64, "more of that kind")),
            };
            texts.push((
                Tone::Warn,
                format!(
                    "{name} on port {}{more}: not a port of the catalog, a policy has to name it",
                    first.port
                ),
            ));
        }
        if !others.is_empty() {
            let others = counted(others.len() as u64, "other listener");
            texts.push((
                Tone::Plain,
                format!("{others}; any port can carry personal data, `gdprport scan` shows all"),
            ));
        }
        texts
    }

    fn unread(&self) -> Vec<String> {
        let unread =
            self.look.found.as_ref().map(|inventory| inventory.unread.iter().map(unread_text).collect());
        unread.unwrap_or_default()
    }

    /// The next commands, in their order, each with what it is for.
    const fn next(&self) -> [(&'static str, &'static str); 4] {
        let [apply, last] = if self.no_policy {
            [
                ("sudo gdprport daemon run --policy policy.toml", "instead of this one"),
                ("gdprport help first-steps", "all of it, in order"),
            ]
        } else {
            [
                ("sudo install -Dm644 policy.toml /etc/gdprport/policy.toml", ""),
                ("sudo gdprport daemon reload", "watch by it, without a restart"),
            ]
        };
        [
            ("sudo gdprport init --output policy.toml", "a starter policy of what is here"),
            ("gdprport policy check policy.toml", "what is still to be filled in"),
            apply,
            last,
        ]
    }
}

/// Listeners of services that the catalog knows; those with connections first.
fn known(inventory: &Inventory) -> Vec<&Listening> {
    let mut known: Vec<_> = inventory.listeners.iter().filter(|one| one.service.id.is_some()).collect();
    known.sort_by_key(|one| std::cmp::Reverse(words::connections(one)));
    known
}

fn services(inventory: &Inventory, width: u16) -> String {
    let known = known(inventory);
    if known.is_empty() {
        return String::new();
    }
    let rows: Vec<_> = known
        .iter()
        .take(SHOWN)
        .map(|one| {
            let reach = one.exposure.map_or("", |reach| words::exposure(reach, one.own_netns));
            vec![
                Cell::new(Tone::Strong, one.service.name.as_deref().unwrap_or("unknown")),
                Cell::plain(words::addresses(&one.addresses, one.port, 1)),
                Cell::plain(reach),
                Cell::plain(words::program(&one.holder).map_or_else(
                    || "unknown".to_owned(),
                    |program| with_alias(program, one.goes_by.as_deref()),
                )),
                Cell::count(Tone::Plain, words::connections(one)),
            ]
        })
        .collect();
    let columns = [
        Column::elastic("SERVICE", 10),
        Column::elastic("ADDRESS", 15),
        Column::text("OPEN TO").spare(1),
        Column::elastic("PROCESS", 9),
        Column::number("CONN."),
    ];
    let indent = 4;
    let mut text: String = table(&columns, &rows, width.saturating_sub(indent))
        .lines()
        .map(|line| format!("    {line}\n"))
        .collect();
    let more = known.len().saturating_sub(SHOWN);
    if more > 0 {
        text.push_str(&format!("    {}\n", Tone::Dim.paint(&format!("and {} more", thousands(more as u64)))));
    }
    text
}
