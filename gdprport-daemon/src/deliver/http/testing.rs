//! What the tests of all receivers need: batches, settings, a runtime.

use std::time::Duration;

use super::hostile::keeps_the_contract;
use crate::deliver::{Message, Outcome, Transport};
use gdprport_core::delivery::{Auth, HttpSettings, HttpUrl, Proxy, SecretRef, TlsSettings};
use gdprport_core::encode::Encoding;
use gdprport_core::event::{Event, Kind, samples};

/// So many events of all kinds, each with an id of its own.
pub(crate) fn batch(length: usize) -> Vec<Message> {
    let mut stamper = samples::stamper();
    let bodies: Vec<_> = Kind::ALL.iter().map(|&kind| samples::body(kind)).collect();
    let events = bodies.into_iter().cycle().take(length);
    events.map(|body| message(stamper.stamp(samples::now(), body), Encoding::Native)).collect()
}

/// An event as a message.
pub(crate) fn message(event: Event, encoding: Encoding) -> Message {
    let mut record = Vec::new();
    encoding.write(&event, &mut record);
    Message { event, record: record.into() }
}

/// The ids of a batch.
pub(crate) fn ids(batch: &[Message]) -> Vec<String> {
    batch.iter().map(|message| message.event.id.to_string()).collect()
}

/// A receiver at an address, which has two seconds for an answer.
pub(crate) fn settings(url: &str) -> HttpSettings {
    HttpSettings {
        url: HttpUrl::parse(url).expect("an address"),
        tls: TlsSettings::default(),
        proxy: Proxy::None,
        auth: Auth::None,
        headers: Vec::new(),
        timeout: Duration::from_secs(2),
        connect_timeout: Duration::from_secs(2),
    }
}

/// A file with a secret, for its owner alone.
pub(crate) fn secret(dir: &tempfile::TempDir, text: &str) -> SecretRef {
    use std::os::unix::fs::PermissionsExt as _;
    let path = dir.path().join("secret");
    std::fs::write(&path, format!("{text}\n")).expect("a file");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("its mode");
    SecretRef::File(path)
}

/// Sends a batch, asserts that the outcome keeps what every transport promises, and returns it.
#[track_caller]
pub(crate) fn send(transport: &mut impl Transport, batch: &[Message]) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let outcome = runtime.block_on(transport.send(batch));
    keeps_the_contract(&outcome, batch.len(), &[]);
    outcome
}

/// Sends a batch of which nothing is done, and returns why.
#[track_caller]
pub(crate) fn fails(transport: &mut impl Transport, batch: &[Message]) -> String {
    let outcome = send(transport, batch);
    assert_eq!(outcome.done, 0, "{outcome:?}");
    outcome.failure.expect("nothing was done").why
}
