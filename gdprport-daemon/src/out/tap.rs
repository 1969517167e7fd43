//! The tap: clients that follow the events as they happen (`gdprport events --follow`).
//!
//! Each client has a bounded queue of its own. One that is too slow loses events and nothing else happens: where
//! they are missing, its stream has the line `{"dropped":N}`. Such a line is not an event and has no `schema`.
//!
//! Its books count deliveries: with three clients every event is received three times.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use futures_util::Stream;

use super::Published;
use super::stats::{Books, DropReason, SinkStats};

/// Clients that may follow at the same time: each costs the daemon's loop some work per event.
pub const MAX_CLIENTS: usize = 32;

/// Where clients tap the events. Cheap to clone: all clones are the same tap.
#[derive(Debug, Clone)]
pub struct Tap(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    capacity: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    clients: Vec<Client>,
    next_id: u64,
    books: Books,
    closed: bool,
}

#[derive(Debug)]
struct Client {
    id: u64,
    queue: VecDeque<Item>,
    /// Lost since the last item that is queued.
    missed: u64,
    waker: Option<Waker>,
}

#[derive(Debug)]
struct Item {
    /// Lost just before this event.
    missed: u64,
    event: Arc<Published>,
}

/// There are [`MAX_CLIENTS`] already, or the daemon is about to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "{MAX_CLIENTS} clients follow the events already, or the daemon is ending: end one of them or try again later"
)]
pub struct TooManyClients;

impl Tap {
    /// A tap whose clients may fall behind by `capacity` events each.
    #[must_use]
    pub fn new(capacity: NonZeroUsize) -> Self {
        Self(Arc::new(Shared { capacity: capacity.get(), state: Mutex::default() }))
    }

    /// Begins to follow: the stream has every event from now on.
    ///
    /// # Errors
    /// If too many clients follow already, or the tap is closed.
    pub fn subscribe(&self) -> Result<TapClient, TooManyClients> {
        let mut state = self.0.lock();
        if state.closed || state.clients.len() >= MAX_CLIENTS {
            return Err(TooManyClients);
        }
        let id = state.next_id;
        state.next_id += 1;
        state.clients.push(Client { id, queue: VecDeque::new(), missed: 0, waker: None });
        Ok(TapClient { shared: Arc::clone(&self.0), id })
    }

    /// Offers an event to every client. Never waits for one.
    pub(super) fn push(&self, event: &Arc<Published>) {
        let mut wake: Vec<Waker> = Vec::new();
        {
            let mut state = self.0.lock();
            let State { clients, books, .. } = &mut *state;
            for client in clients {
                books.received += 1;
                if client.queue.len() >= self.0.capacity {
                    books.drop(DropReason::QueueFull, 1);
                    client.missed += 1;
                    continue;
                }
                let missed = std::mem::take(&mut client.missed);
                client.queue.push_back(Item { missed, event: Arc::clone(event) });
                wake.extend(client.waker.take());
            }
        }
        // After the lock is released: a waker may run its task at once.
        for waker in wake {
            waker.wake();
        }
    }

    /// Ends every stream after what is queued for it.
    pub(super) fn close(&self) {
        let mut state = self.0.lock();
        state.closed = true;
        let wake: Vec<Waker> = state.clients.iter_mut().filter_map(|client| client.waker.take()).collect();
        drop(state);
        for waker in wake {
            waker.wake();
        }
    }

    /// A snapshot of the books.
    pub(super) fn stats(&self) -> SinkStats {
        let state = self.0.lock();
        state.books.snapshot("tap".into(), state.closed)
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the lock, and the counts are whole after every statement.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One client's stream of NDJSON lines, each ended by a line feed. Dropping it ends the client.
#[derive(Debug)]
pub struct TapClient {
    shared: Arc<Shared>,
    id: u64,
}

impl Stream for TapClient {
    type Item = Bytes;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let mut state = self.shared.lock();
        let State { clients, books, closed, .. } = &mut *state;
        let Some(client) = clients.iter_mut().find(|client| client.id == self.id) else {
            return Poll::Ready(None);
        };
        let missed = match client.queue.front_mut() {
            Some(item) => std::mem::take(&mut item.missed),
            None if *closed => std::mem::take(&mut client.missed),
            None => {
                client.waker = Some(context.waker().clone());
                return Poll::Pending;
            }
        };
        if missed > 0 {
            return Poll::Ready(Some(format!("{{\"dropped\":{missed}}}\n").into()));
        }
        let Some(item) = client.queue.pop_front() else { return Poll::Ready(None) };
        books.delivered += 1;
        drop(state);
        // The line may have to be made first, which must not hold up who publishes.
        let line = item.event.native().clone();
        self.shared.lock().books.bytes += line.len() as u64;
        Poll::Ready(Some(line))
    }
}

impl Drop for TapClient {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        if let Some(at) = state.clients.iter().position(|client| client.id == self.id) {
            let client = state.clients.swap_remove(at);
            state.books.drop(DropReason::Closed, client.queue.len() as u64);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt, StreamExt};

    use super::*;
    use crate::core::event::Event;
    use crate::out::testing::{adds_up, dropped, published};

    fn tap(capacity: usize) -> Tap {
        Tap::new(NonZeroUsize::new(capacity).expect("not zero"))
    }

    /// The next line: the event's `seq`, or minus the number of lost ones. `None` if there is none yet.
    fn next(client: &mut TapClient) -> Option<Option<i64>> {
        client.next().now_or_never().map(|line| {
            line.map(|line| {
                assert!(line.ends_with(b"\n"));
                let value: serde_json::Value = serde_json::from_slice(&line).expect("JSON");
                match value.get("dropped") {
                    Some(lost) => -lost.as_i64().expect("a number"),
                    None => i64::try_from(serde_json::from_slice::<Event>(&line).expect("an event").seq)
                        .expect("small"),
                }
            })
        })
    }

    #[test]
    fn a_client_gets_what_happens_from_its_subscription_on() {
        let tap = tap(10);
        let events = published(3);
        tap.push(&events[0]);
        let mut client = tap.subscribe().expect("room");
        assert_eq!(next(&mut client), None);
        tap.push(&events[1]);
        tap.push(&events[2]);
        assert_eq!(
            [next(&mut client), next(&mut client), next(&mut client)],
            [Some(Some(2)), Some(Some(3)), None]
        );
    }

    #[test]
    fn a_slow_client_is_told_how_many_it_missed_and_where_and_others_miss_none() {
        let tap = tap(2);
        let (mut slow, mut quick) = (tap.subscribe().expect("room"), tap.subscribe().expect("room"));
        let events = published(8);
        let mut seen = Vec::new();
        for event in &events[..5] {
            tap.push(event);
            seen.extend(next(&mut quick).flatten());
        }
        assert_eq!(seen, [1, 2, 3, 4, 5]);
        assert_eq!(next(&mut slow), Some(Some(1)));
        tap.push(&events[5]);
        tap.push(&events[6]);
        tap.push(&events[7]);
        tap.close();
        let rest: Vec<i64> = std::iter::from_fn(|| next(&mut slow).flatten()).collect();
        assert_eq!(rest, [2, -3, 6, -2]);
        assert_eq!(next(&mut slow), Some(None), "the stream has ended");
        let stats = tap.stats();
        assert_eq!(
            dropped(&stats),
            [("queue-full", 6)],
            "five of the slow one, one of the quick one at the end"
        );
        assert!(adds_up(&stats));
    }

    #[test]
    fn what_a_client_leaves_behind_is_counted() {
        let tap = tap(10);
        let mut client = tap.subscribe().expect("room");
        for event in published(5) {
            tap.push(&event);
        }
        assert_eq!(next(&mut client), Some(Some(1)));
        drop(client);
        let stats = tap.stats();
        assert_eq!((stats.counts.received, stats.counts.delivered), (5, 1));
        assert_eq!(dropped(&stats), [("closed", 4)]);
    }

    #[test]
    fn clients_are_bounded_and_one_that_leaves_makes_room() {
        let tap = tap(1);
        let mut clients: Vec<TapClient> = (0..MAX_CLIENTS).map(|_| tap.subscribe().expect("room")).collect();
        assert!(tap.subscribe().is_err());
        clients.pop();
        assert!(tap.subscribe().is_ok());
    }

    #[tokio::test]
    async fn a_waiting_client_is_woken() {
        let tap = tap(10);
        let mut client = tap.subscribe().expect("room");
        let waiting = tokio::spawn(async move { client.next().await });
        tokio::task::yield_now().await;
        tap.push(&published(1)[0]);
        assert!(waiting.await.expect("no panic").is_some());
        let mut client = tap.subscribe().expect("room");
        let waiting = tokio::spawn(async move { client.next().await });
        tokio::task::yield_now().await;
        tap.close();
        assert!(waiting.await.expect("no panic").is_none());
    }
}
