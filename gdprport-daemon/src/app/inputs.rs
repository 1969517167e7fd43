//! What the loop reacts to, apart from records, and where it comes from. What an input does is `run`'s.

use std::sync::Arc;
use std::time::Duration;

use gdprport_core::policy::DnsNames;
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval};

use super::enforcer::Done as TablesDone;
use super::overload::Brought;
use super::reconcile::Finding;
use super::recorder::Recorded;
use super::reload::Read;
use super::signals::{SignalAction, Signals};
use crate::control::handle::{Inbox, Request};
use crate::host::conntrack::Answered;
use crate::host::ending::Done;

/// All that the loop reacts to, apart from records.
pub(super) enum Input {
    Signal(SignalAction),
    Request(Request),
    /// The policy's host names were resolved again.
    Dns(DnsNames),
    /// The policy's files were read again, or one that is to be tried was compiled.
    Loaded(Box<Read>),
    /// Tables that connections are decided by were written, or removed.
    Tables(Box<TablesDone>),
    /// Something was found on the host.
    Found(Finding),
    /// Names of containers were looked up.
    Named,
    /// Connections that the kernel side has counted were collected.
    Counted(Box<Brought>),
    /// There is more of these to judge.
    Judge,
    /// How flows are translated by the host.
    Translated(Vec<Answered>),
    /// What became of connections that were to be ended.
    Ended(Vec<Done>),
    /// The ledger has compared an audit with the one before.
    Recorded(Recorded),
    /// A second has passed.
    Second,
    /// Flows are to be polled.
    Poll,
    /// Flows have settled, records have come, or there is more of a listing to apply: the next round does it.
    Work,
}

/// Where inputs come from.
pub(super) struct Inputs {
    pub signals: Signals,
    pub inbox: Inbox,
    pub dns: mpsc::Receiver<DnsNames>,
    pub loads: mpsc::Receiver<Read>,
    pub tables: mpsc::Receiver<TablesDone>,
    pub findings: mpsc::Receiver<Finding>,
    /// Notified when names of containers have come.
    pub named: Arc<Notify>,
    pub translations: mpsc::Receiver<Vec<Answered>>,
    pub ended: mpsc::Receiver<Vec<Done>>,
    pub recorded: mpsc::Receiver<Recorded>,
    pub every_second: Interval,
    pub poll: Interval,
}

/// Ticks at once and then with this period; a tick that comes late does not bring the next one forward.
pub(super) fn every(period: Duration) -> Interval {
    let mut interval = interval(period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

/// Waits until then; for ever if there is no time.
pub(super) async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
