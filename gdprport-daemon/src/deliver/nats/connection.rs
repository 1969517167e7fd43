//! One connection to one server of a cluster, which is given up as soon as it breaks.
//!
//! The client would connect again by itself and send what it holds; here the deliverer decides both.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use async_nats::jetstream::{self, Context};
use async_nats::{Client, ConnectErrorKind, ConnectOptions, Event, Statistics};
use gdprport_core::delivery::{Endpoint, NatsLogin, NatsSettings};
use tokio::sync::watch;

use crate::deliver::connect::REFUSES;
use crate::deliver::hidden::Hidden;
use crate::deliver::tls::{client_config, explain};
use crate::deliver::{ANSWER_MAX, one_line};

/// Bytes that a server may send for each event that was published: an acknowledgement has some hundred.
const ANSWER_EACH: u64 = 2048;

/// How often the guard looks.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A connection, and whether it is still there.
pub(super) struct Connection {
    /// Taken away by the guard, which ends it.
    held: Arc<Mutex<Option<Context>>>,
    pub(super) broken: watch::Receiver<bool>,
    published: Arc<AtomicU64>,
}

impl Connection {
    /// Connects to one server, each step within the time.
    ///
    /// # Errors
    /// One sentence about it.
    pub(super) async fn open(
        settings: &NatsSettings,
        server: &Endpoint,
        within: Duration,
        hidden: &mut Hidden,
    ) -> Result<Self, String> {
        let (to, broken) = watch::channel(false);
        let to = Arc::new(to);
        let events = Arc::clone(&to);
        let mut options = login(&settings.login, ConnectOptions::new(), hidden)
            .await?
            .name("gdprport")
            .connection_timeout(within)
            // One attempt, and no other server: that is the caller's.
            .max_reconnects(1)
            .ignore_discovered_servers()
            .retain_servers_order()
            .event_callback(move |event| {
                if matches!(event, Event::Disconnected | Event::Closed | Event::LameDuckMode) {
                    events.send_replace(true);
                }
                std::future::ready(())
            });
        if let Some(tls) = &settings.tls {
            options = options.require_tls(true).tls_client_config(client_config(tls).await?);
        }
        let scheme = if settings.tls.is_some() { "tls" } else { "nats" };
        let connected = tokio::time::timeout(within, options.connect(format!("{scheme}://{server}"))).await;
        let client: Client = match connected {
            Ok(Ok(client)) => client,
            Ok(Err(error)) => return Err(said(&error)),
            Err(_) => return Err(format!("no connection within {} s", within.as_secs())),
        };
        let statistics = client.statistics();
        let held = Arc::new(Mutex::new(Some(jetstream::new(client))));
        let published = Arc::new(AtomicU64::new(0));
        let guard = guard(statistics, Arc::downgrade(&held), Arc::clone(&published), to);
        tokio::spawn(guard);
        Ok(Self { held, broken, published })
    }

    /// The client's handle, for one batch; `None` once the guard has ended it.
    pub(super) fn jetstream(&self, batch: usize) -> Option<Context> {
        self.published.fetch_add(batch as u64, Ordering::Relaxed);
        self.held.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until it is gone.
    pub(super) async fn gone(mut broken: watch::Receiver<bool>) {
        // The sender goes with the client.
        let _ = broken.wait_for(|broken| *broken).await;
    }

    pub(super) fn is_broken(&self) -> bool {
        *self.broken.borrow()
    }
}

/// Ends a connection whose server sends more than there is to answer: the client keeps all of a message until it is whole, however
/// large the server says that it will be. Ends with the connection.
async fn guard(
    statistics: Arc<Statistics>,
    held: Weak<Mutex<Option<Context>>>,
    published: Arc<AtomicU64>,
    to: Arc<watch::Sender<bool>>,
) {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let Some(held) = held.upgrade() else { return };
        let allowed = ANSWER_MAX as u64 + ANSWER_EACH * published.load(Ordering::Relaxed);
        if statistics.in_bytes.load(Ordering::Relaxed) > allowed {
            to.send_replace(true);
            held.lock().unwrap_or_else(PoisonError::into_inner).take();
            return;
        }
    }
}

/// What is wrong with a secret is said without any of it.
async fn login(
    login: &NatsLogin,
    options: ConnectOptions,
    hidden: &mut Hidden,
) -> Result<ConnectOptions, String> {
    Ok(match login {
        NatsLogin::None => options,
        NatsLogin::Credentials(place) => {
            let text = hidden.text(place).await?;
            options
                .credentials(&text)
                .map_err(|_| format!("the secret {place} is no credentials file of NATS"))?
        }
        NatsLogin::Nkey(place) => options.nkey(hidden.text(place).await?),
        NatsLogin::Token(place) => options.token(hidden.text(place).await?),
        NatsLogin::User(user, place) => {
            options.user_and_password(user.to_string(), hidden.text(place).await?)
        }
    })
}

fn said(error: &async_nats::ConnectError) -> String {
    if let Some(why) = explain(error) {
        return why;
    }
    match error.kind() {
        ConnectErrorKind::AuthorizationViolation => {
            "it does not accept this login (`credentials`, `nkey`, `token` or `user`)".to_owned()
        }
        ConnectErrorKind::Authentication => {
            "the `nkey` or `credentials` cannot sign: are they whole?".to_owned()
        }
        ConnectErrorKind::TimedOut => "no answer in time".to_owned(),
        _ => {
            let mut cause: &dyn std::error::Error = error;
            while let Some(next) = cause.source() {
                cause = next;
            }
            match cause.downcast_ref::<io::Error>() {
                Some(error) if error.kind() == io::ErrorKind::ConnectionRefused => REFUSES.to_owned(),
                _ => one_line(&format!("cannot connect: {cause}")),
            }
        }
    }
}
