//! What rules with a `volume` have moved, as a part of the status.

use gdprport_core::event::RuleVolume;

use super::format::{bytes, clean, moment};
use super::screen::Screen;
use super::table::{fact, title};
use super::tone::Tone;
use crate::control::api::VolumeStatus;

/// As many are shown; `--json` has more.
const SHOWN: usize = 10;

/// The rules, those nearest to what they may move first; nothing if no rule has a limit.
pub(super) fn volumes(rules: &[VolumeStatus], screen: &Screen) -> String {
    if rules.is_empty() {
        return String::new();
    }
    let mut text = title("VOLUME", "of rules that may move only so much");
    for VolumeStatus { port, volume } in rules.iter().take(SHOWN) {
        let RuleVolume { rule, bytes: moved, bound, max, per, to, since, .. } = volume;
        let least = if bound.is_some() { "at least " } else { "" };
        let tone = if moved > max { Tone::Bad } else { Tone::Plain };
        let line = format!(
            "{least}{} of {} per {per}, since {}; begins anew {}",
            bytes(*moved),
            bytes(*max),
            moment(*since),
            moment(*to)
        );
        let name = format!("{}, {}", clean(port), clean(rule));
        text.push_str(&fact(&name, tone, &line, screen.width));
    }
    if rules.len() > SHOWN {
        let more = format!("{} more; --json has up to a hundred", rules.len() - SHOWN);
        text.push_str(&fact("", Tone::Dim, &more, screen.width));
    }
    text
}
