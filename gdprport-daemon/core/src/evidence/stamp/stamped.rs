//! An answer as a timestamp of a note: when it is one, and why not.

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

use super::info::Info;
use super::response::granted;
use super::token::Token;
use super::{Authorities, StampError, StampRequest};

/// By how much the clocks of an authority and of a host may differ.
pub const CLOCK_TOLERANCE: SignedDuration = SignedDuration::from_mins(5);

/// What an authority signed of a note: that it was there at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    /// The time.
    pub time: Timestamp,
    /// By how much it may be wrong, as the authority says; zero if it says nothing.
    pub accuracy: SignedDuration,
    /// The name in the certificate of its signer; empty if it has none.
    pub authority: String,
}

/// The timestamp in the answer to a request that was just made. `now`: this host's clock.
///
/// # Errors
/// If it is none, not of this request, not by a trusted authority, or the clocks differ by more than [`CLOCK_TOLERANCE`].
pub fn answered(
    request: &StampRequest,
    answer: &[u8],
    authorities: &Authorities,
    now: Timestamp,
) -> Result<Stamp, StampError> {
    let (stamp, nonce) = verified(answer, &request.imprint, authorities)?;
    if nonce != Some(&request.nonce) {
        return Err(StampError::Nonce);
    }
    if stamp.time.duration_since(now).abs() > CLOCK_TOLERANCE.saturating_add(stamp.accuracy) {
        return Err(StampError::Clock { stamp: stamp.time, host: now });
    }
    Ok(stamp)
}

/// The timestamp of a note in an answer that was kept.
///
/// # Errors
/// If it is none, not of this note, or not by a trusted authority.
pub fn stamped(note: &[u8], answer: &[u8], authorities: &Authorities) -> Result<Stamp, StampError> {
    let imprint: [u8; 32] = Sha256::digest(note).into();
    verified(answer, &imprint, authorities).map(|(stamp, _)| stamp)
}

fn verified<'a>(
    answer: &'a [u8],
    imprint: &[u8],
    authorities: &Authorities,
) -> Result<(Stamp, Option<&'a [u8]>), StampError> {
    let token = Token::read(&granted(answer)?)?;
    let info = Info::read(token.statement)?;
    if info.imprint != imprint {
        return Err(StampError::Imprint);
    }
    let signer = token.signed()?;
    token.trusted(&signer, authorities, info.time)?;
    let stamp = Stamp { time: info.time, accuracy: info.accuracy, authority: signer.name() };
    Ok((stamp, info.nonce))
}
