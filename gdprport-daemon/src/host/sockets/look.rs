//! A look at the sockets of the caller's network namespace: what was listed, and whether that is all.

use netlink_packet_sock_diag::inet::StateFlags;

use super::dump::dump;
use super::error::DumpError;
use super::in_use;
use super::query::CountsQuery;
use super::row::{Head, TcpSocket};

/// How often a list is taken that the kernel's count shows to be short: what closes by the hundred in one moment is over
/// in the next.
const TRIES: u32 = 3;

/// What a look has shown.
#[derive(Debug, Default)]
pub(crate) struct Look {
    /// The sockets that were wanted, each once.
    pub(crate) sockets: Vec<TcpSocket>,
    /// How many sockets of the namespace the kernel counts and did not list. Unless it is 0, a socket that is not among
    /// these may be open all the same.
    pub(crate) missing: u64,
    /// How many sockets were wanted beyond those that may be kept.
    pub(crate) over: u64,
}

/// Lists the TCP sockets (IPv4 and IPv6) of the caller's network namespace that are wanted, each once, listeners and
/// connections. Connections without a process that only wait for old segments (`TIME_WAIT`) are left out, and so are
/// requests whose handshake is not complete on the accepting side. The counts are those of connections whose cookie is
/// `counted`: that is one question to the kernel for each. `wanted` may be asked more than once about a socket.
///
/// Sockets opened or closed meanwhile may be missing, and so may one in whose hash chain others closed meanwhile: what is
/// missing in one look is gone for certain only if another one does not show it either.
///
/// # Errors
/// [`DumpError`].
pub(crate) fn look(
    wanted: impl FnMut(&Head) -> bool,
    counted: impl Fn(u64) -> bool,
) -> Result<Look, DumpError> {
    look_at_most(usize::MAX, wanted, counted)
}

/// The same, of which at most so many sockets are kept: those that are wanted first.
///
/// # Errors
/// As [`look`].
pub(crate) fn look_at_most(
    most: usize,
    mut wanted: impl FnMut(&Head) -> bool,
    counted: impl Fn(u64) -> bool,
) -> Result<Look, DumpError> {
    let mut best: Option<Look> = None;
    for _ in 0..TRIES {
        let before = in_use::read();
        let dump = match dump(&states(), most, &mut wanted) {
            Err(DumpError::Inconsistent) => continue,
            dump => dump?,
        };
        let missing = in_use::missing(before, dump.counted, in_use::read());
        if best.as_ref().is_none_or(|best| missing < best.missing) {
            best = Some(Look { sockets: dump.sockets, missing, over: dump.over });
        }
        if missing == 0 {
            break;
        }
    }
    let mut look = best.ok_or(DumpError::Inconsistent)?;
    let mut asked = look.sockets.iter_mut().filter(|socket| socket.peer.is_some() && counted(socket.cookie));
    if let Some(first) = asked.next() {
        let query = CountsQuery::open()?;
        first.counts = query.ask(&first.key);
        asked.for_each(|socket| socket.counts = query.ask(&socket.key));
    }
    Ok(look)
}

/// Every state of a socket that the kernel counts as in use: with a connection that is being accepted with TCP Fast Open
/// (`SYN_RECV`), which brings requests along that are no sockets yet.
fn states() -> StateFlags {
    StateFlags::ESTABLISHED
        | StateFlags::SYN_SENT
        | StateFlags::SYN_RECV
        | StateFlags::FIN_WAIT1
        | StateFlags::FIN_WAIT2
        | StateFlags::CLOSE_WAIT
        | StateFlags::LAST_ACK
        | StateFlags::CLOSING
        | StateFlags::LISTEN
}
