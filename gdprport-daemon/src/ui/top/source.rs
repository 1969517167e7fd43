//! Where what is shown comes from: a thread that asks the daemon, follows its events and reads the ledger.
//!
//! Belongs here: asking, how often, and what is not asked because nobody looks at it. Does not belong here: what the answers mean
//! (`model`).

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError};
use std::thread;
use std::time::{Duration, Instant};

use gdprport_core::event::Event;
use gdprport_core::top::RowKey;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Notify, watch};
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};

use super::message::Message;
use super::model::{Answer, FlowAnswer, History, Update, Wanted, WantedFlow};
use crate::control::api::{ExplainQuery, GroupQuery};
use crate::control::client::{ClientError, ControlClient, EventLines};
use crate::ledger::{EdgeFilter, Reader};

/// How often the daemon is asked.
const PERIOD: Duration = Duration::from_secs(1);

/// How much longer than it took to answer it is left alone: so it spends a twentieth of its time on this.
const LEAVE_ALONE: u32 = 20;

/// However long it took: a machine that is busy is no reason to show what was long ago.
const LONGEST: Duration = Duration::from_secs(5);

/// Flows of a group that are listed, the oldest.
const MEMBERS: usize = 20;

/// How often the ledger is asked for the last 24 hours, and for the group that is looked at.
const LEDGER_PERIOD: Duration = Duration::from_secs(30);

/// How long events are collected before they are shown.
const BATCH_WITHIN: Duration = Duration::from_millis(250);

/// Events of one batch.
const BATCH: usize = 256;

/// What stands in every event about a flow in violation, and in the line about events that were missed.
const VIOLATION: &str = "\"outcome\":\"violation\"";
const LOST: &str = "\"kind\":\"stream.lost\"";

/// Opens the ledger: the one that was named, else the one at this place, which the daemon writes (`None`: it keeps none); or says
/// why not.
pub(in crate::ui) type OpenLedger = Arc<dyn Fn(Option<PathBuf>) -> Result<Reader, String> + Send + Sync>;

/// Where the daemon keeps its ledger, if it keeps one; `None`: it did not answer yet.
type Kept = Option<Option<PathBuf>>;

/// Sends what comes; what there is no room for is dropped, and events are counted.
#[derive(Clone)]
pub(super) struct Outlet {
    to: SyncSender<Message>,
}

impl Outlet {
    /// Hands it on.
    ///
    /// # Errors
    /// If there is no room.
    fn send(&self, update: Update) -> Result<(), TrySendError<Message>> {
        self.to.try_send(Message::Update(Box::new(update)))
    }
}

/// Begins to ask. It ends with the process.
///
/// # Errors
/// If the system refuses a thread.
pub(super) fn start(
    client: ControlClient,
    ledger: OpenLedger,
    wanted: watch::Receiver<Wanted>,
    to: SyncSender<Message>,
    signals: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let ended = Ended(to.clone());
    let outlet = Outlet { to };
    let (place_to, place) = watch::channel(None);
    let broken = Arc::new(Notify::new());
    let work = move || {
        let _ended = ended;
        runtime.block_on(async {
            tokio::join!(
                poll(client.clone(), wanted.clone(), place_to, outlet.clone(), &broken),
                follow(client, outlet.clone(), &broken),
                days(Arc::clone(&ledger), place.clone(), outlet.clone()),
                history(ledger, place, wanted, outlet),
                signals,
            );
        });
    };
    thread::Builder::new().name("top-source".to_owned()).spawn(work).map(drop)
}

/// Reports when the thread ends, which it only does by a panic.
struct Ended(SyncSender<Message>);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.send(Message::SourceEnded);
    }
}

/// A clock that does not jump.
fn monotonic_ms(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// Asks the daemon for what is on the screen, again and again.
async fn poll(
    client: ControlClient,
    mut wanted: watch::Receiver<Wanted>,
    place: watch::Sender<Kept>,
    outlet: Outlet,
    broken: &Notify,
) {
    let beginning = Instant::now();
    loop {
        let want = wanted.borrow_and_update().clone();
        let asked = Instant::now();
        let update = match ask(&client, &want, beginning).await {
            Ok(answer) => {
                let path = Some(answer.status.status.ledger.path.as_ref().map(PathBuf::from));
                place.send_if_modified(|known| {
                    let new = *known != path;
                    *known = path;
                    new
                });
                Update::Answer(Box::new(answer))
            }
            Err(error) => Update::Failed(error.to_string()),
        };
        let failed = matches!(update, Update::Failed(_));
        // A screen that takes nothing gets the next one.
        let _ = outlet.send(update);
        if let Some(flow) = want.flow.as_ref().filter(|_| !failed)
            && let Ok(answer) = ask_flow(&client, flow).await
        {
            let _ = outlet.send(Update::Flow(Box::new(answer)));
        }
        let pause = (asked.elapsed() * LEAVE_ALONE).clamp(PERIOD, LONGEST);
        // Whoever follows the events knows first that the daemon has stopped.
        tokio::select! {
            goes_on = until_due(pause, &mut wanted, &want) => if !goes_on { return },
            () = broken.notified() => {}
        }
    }
}

/// Waits so long, or until something else is looked at. False: nobody looks any more.
async fn until_due(pause: Duration, wanted: &mut watch::Receiver<Wanted>, before: &Wanted) -> bool {
    let due = sleep(pause);
    tokio::pin!(due);
    loop {
        tokio::select! {
            () = &mut due => return true,
            changed = wanted.changed() => match changed {
                Err(_) => return false,
                // Another flow that stands for the same group can wait: there may be one every time.
                Ok(()) if wanted.borrow().is_of_same_view(before) => {}
                Ok(()) => return true,
            },
        }
    }
}

async fn ask(client: &ControlClient, want: &Wanted, beginning: Instant) -> Result<Answer, ClientError> {
    let status = client.status().await?.value;
    let at_ms = monotonic_ms(beginning);
    let groups = client.groups(&want.groups).await?.value;
    Ok(Answer { at: Timestamp::now(), at_ms, status, port: want.groups.port.clone(), groups })
}

async fn ask_flow(client: &ControlClient, flow: &WantedFlow) -> Result<FlowAnswer, ClientError> {
    let explained = client.explain(&ExplainQuery { flow: flow.sample.to_string() }).await?.value;
    let members = match flow.group {
        Some(group) => {
            let query = GroupQuery { group: Some(group), limit: MEMBERS, ..GroupQuery::default() };
            client.groups(&query).await?.value.members
        }
        None => Vec::new(),
    };
    Ok(FlowAnswer { key: flow.key.clone(), members, explained })
}

/// Follows the events, and begins again when the daemon does.
async fn follow(client: ControlClient, outlet: Outlet, broken: &Notify) {
    loop {
        let why = match client.events().await {
            Ok(mut lines) => {
                let _ = outlet.send(Update::Following(Ok(())));
                let ended = batches(&mut lines, &outlet).await;
                broken.notify_one();
                match ended {
                    Ok(()) => "the daemon has stopped".to_owned(),
                    Err(error) => error.to_string(),
                }
            }
            Err(error) => error.to_string(),
        };
        let _ = outlet.send(Update::Following(Err(why)));
        sleep(PERIOD).await;
    }
}

/// A line that is no event: so many were missed.
#[derive(serde::Deserialize)]
struct Missed {
    lost: u64,
}

/// Until the daemon stops.
async fn batches(lines: &mut EventLines, outlet: &Outlet) -> Result<(), ClientError> {
    let mut missed = 0_u64;
    loop {
        let mut events = Vec::new();
        let Some(line) = lines.next().await? else { return Ok(()) };
        take(&line, &mut events, &mut missed);
        let until = Instant::now() + BATCH_WITHIN;
        let mut stopped = false;
        while !stopped && events.len() < BATCH {
            let left = until.saturating_duration_since(Instant::now());
            match timeout(left, lines.next()).await {
                Err(_) => break,
                Ok(line) => match line? {
                    Some(line) => take(&line, &mut events, &mut missed),
                    None => stopped = true,
                },
            }
        }
        if !events.is_empty() || missed > 0 {
            let count = events.len() as u64;
            match outlet.send(Update::Events(events, missed)) {
                Ok(()) => missed = 0,
                Err(_) => missed = missed.saturating_add(count),
            }
        }
        if stopped {
            return Ok(());
        }
    }
}

/// Of all events only those about violations are read: a busy host has thousands a second of others.
fn take(line: &str, events: &mut Vec<Event>, missed: &mut u64) {
    if line.contains(VIOLATION) {
        // What a newer daemon sends and this program does not know is left out.
        events.extend(serde_json::from_str::<Event>(line).ok());
    } else if line.contains(LOST) {
        let lost = serde_json::from_str::<Missed>(line).map_or(0, |line| line.lost);
        *missed = missed.saturating_add(lost);
    }
}

/// Reads the last 24 hours of the ledger.
async fn days(ledger: OpenLedger, mut place: watch::Receiver<Kept>, outlet: Outlet) {
    loop {
        let Some(path) = place.borrow_and_update().clone() else {
            if place.changed().await.is_err() {
                return;
            }
            continue;
        };
        let open = Arc::clone(&ledger);
        let read = spawn_blocking(move || {
            let now = Timestamp::now();
            let reader = open(path)?;
            let hours = reader.hours(now - SignedDuration::from_hours(24), now);
            hours.map(Box::new).map_err(|error| error.to_string())
        });
        if let Ok(day) = read.await {
            let _ = outlet.send(Update::Day(day));
        }
        tokio::select! {
            () = sleep(LEDGER_PERIOD) => {}
            changed = place.changed() => if changed.is_err() { return },
        }
    }
}

/// Reads what the ledger has of the group that is looked at.
async fn history(
    ledger: OpenLedger,
    place: watch::Receiver<Kept>,
    mut wanted: watch::Receiver<Wanted>,
    outlet: Outlet,
) {
    loop {
        let want = wanted.borrow_and_update().clone();
        let kept = place.borrow().clone();
        if let (Some(key), Some(path)) = (want.flow.as_ref().map(|flow| flow.key.clone()), kept) {
            let open = Arc::clone(&ledger);
            let read = spawn_blocking(move || {
                let history = open(path).and_then(|reader| of_group(&reader, &key));
                (key, history.map(Box::new))
            });
            if let Ok((key, history)) = read.await {
                let _ = outlet.send(Update::History(Box::new(key), history));
            }
        }
        if !until_due(LEDGER_PERIOD, &mut wanted, &want).await {
            return;
        }
    }
}

fn of_group(reader: &Reader, key: &RowKey) -> Result<History, String> {
    let since = Timestamp::now() - History::DAYS;
    let filter = EdgeFilter {
        port: Some(Arc::clone(&key.name)),
        number: Some(key.number),
        since: Some(since),
        limit: Some(History::ROWS),
        ..EdgeFilter::default()
    };
    let edges = reader.edges(&filter).map_err(|error| error.to_string())?;
    let begin = reader.summary().map_err(|error| error.to_string())?.begin;
    let edges: Vec<_> = edges.into_iter().map(|stored| stored.edge).collect();
    Ok(History::of(&edges, key, begin.map_or(since, |begin| begin.max(since))))
}
