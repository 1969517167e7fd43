//! Words and signs that several kinds of lines share.

use gdprport_core::event::{Bound, Flow, Listener, RuleVolume};
use gdprport_core::model::{Direction, Outcome, PostureState, TlsVersion};

use super::super::format::{bytes, thousands};
use super::super::tone::Tone;
use super::paint::Span;

/// Which way it goes.
pub(super) const fn arrow(direction: Direction) -> &'static str {
    match direction {
        Direction::In => "←",
        Direction::Out => "→",
    }
}

/// Most units are services: the suffix adds nothing.
pub(super) fn short(unit: &str) -> &str {
    unit.strip_suffix(".service").unwrap_or(unit)
}

/// How something is encrypted, and a blank.
pub(super) fn state(state: PostureState, version: Option<TlsVersion>) -> Span {
    let tone = match state {
        PostureState::Tls13 | PostureState::Tls12 | PostureState::StarttlsUpgraded => Tone::Good,
        PostureState::EncryptedOther | PostureState::NoData => Tone::Plain,
        PostureState::WeakTls
        | PostureState::StarttlsRefused
        | PostureState::Plaintext
        | PostureState::Unrecognised => Tone::Bad,
        PostureState::Unknown => Tone::Warn,
    };
    let version = match (state, version) {
        (PostureState::StarttlsUpgraded | PostureState::WeakTls, Some(version)) => format!(" {version}"),
        _ => String::new(),
    };
    (tone, format!("{}{version} ", state.as_str()))
}

/// What the kernel did about a connection that no rule allows, or would have done.
pub(super) fn decided(flow: &Flow) -> Option<Span> {
    match flow.outcome {
        Outcome::DeniedByPolicy => Some((Tone::Plain, " · denied".to_owned())),
        _ if flow.would_deny => Some((Tone::Plain, " · would be denied".to_owned())),
        _ => None,
    }
}

/// The same about a socket that is bound.
pub(super) fn decided_listener(listener: &Listener) -> Option<Span> {
    let text = match listener {
        Listener { denied: true, repeated: 0, .. } => " · denied".to_owned(),
        Listener { denied: true, repeated, .. } => format!(" · denied, {} more", thousands(*repeated)),
        Listener { would_deny: true, .. } => " · would be denied".to_owned(),
        _ => return None,
    };
    Some((Tone::Plain, text))
}

/// What a rule has moved beside what it may.
pub(super) fn moved(volume: &RuleVolume) -> Span {
    let how = match volume.bound {
        Some(Bound::AtLeast) => "at least ",
        Some(Bound::AtMost) => "at most ",
        None => "",
    };
    let RuleVolume { rule, per, .. } = volume;
    (
        Tone::Plain,
        format!(" · {rule} moved {how}{} in {per}, may move {}", bytes(volume.bytes), bytes(volume.max)),
    )
}
