//! Words and signs that several kinds of lines share.

use gdprport_core::event::{Bound, RuleVolume};
use gdprport_core::model::{Direction, PostureState, TlsVersion};

use super::super::format::bytes;
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
