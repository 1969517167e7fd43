//! How much room a ledger takes, and on demand how fast it is.

use std::time::Instant;

use gdprport_core::ledger::{Batch, Edge};

use super::super::EdgeFilter;
use super::samples::{at, batch, began, edge_of, identity};
use super::scene::{Scene, finish, offer, wait_for};

const DAY: i64 = 86_400;

/// A day with `edges` edges, each of which changed its posture once: two rows.
fn day(day: i64, edges: i64) -> Batch {
    let rows = (0..edges).flat_map(|n| {
        let who = identity(&format!("/usr/lib/orders-{}/bin/worker", n % 20));
        let plain = edge_of(&who, &format!("10.{}.{}.{}", n % 7, n / 200, n % 200), day * DAY, 40);
        let mut encrypted = plain.clone();
        encrypted.key.posture = std::sync::Arc::new(gdprport_core::ledger::PostureKey {
            state: gdprport_core::model::PostureState::Tls13,
            version: None,
            cipher: Some("TLS_AES_128_GCM_SHA256".into()),
            certificate_until: None,
        });
        encrypted.counts.bytes_sent = 123_456_789;
        [plain, encrypted]
    });
    batch(day * DAY, rows.collect())
}

/// Ninety days of 500 edges are to fit 64 MiB: nine of them a tenth of it.
#[test]
fn ninety_days_of_500_edges_fit_64_mib() {
    let scene = Scene::new();
    let mut batches = vec![began(0, "r", "b")];
    batches.extend((0..9).map(|n| day(n, 500)));
    scene.written(batches);
    let bytes = std::fs::metadata(scene.path()).expect("it is there").len();
    assert_eq!(scene.reader().summary().expect("an answer").rows, 9_000);
    assert!(bytes < (64 << 20) / 10, "{bytes} bytes");
    assert!(bytes < 9_000 * 200, "{} bytes a row", bytes / 9_000);
}

#[test]
#[ignore = "on demand: it measures"]
fn measure() {
    let scene = Scene::new();
    let ledger = scene.open();
    offer(&ledger, vec![began(0, "r", "b")]);
    let begin = Instant::now();
    offer(&ledger, (0..90).map(|n| day(n, 500)).collect());
    wait_for(&ledger, |snapshot| snapshot.batches == 91);
    println!("90,000 rows of 90 days: stored in {:?}", begin.elapsed());
    let who: Vec<_> = (0..1_000).map(|n| identity(&format!("/opt/{n}"))).collect();
    let edges: Vec<Edge> = (0..100_000_usize)
        .map(|n| edge_of(&who[n % 1_000], &format!("10.{}.{}.{}", n % 3, n / 400, n % 250), 90 * DAY, 1))
        .collect();
    let begin = Instant::now();
    offer(&ledger, edges.chunks(20_000).map(|part| batch(90 * DAY, part.to_vec())).collect());
    wait_for(&ledger, |snapshot| snapshot.batches == 96);
    println!("100,000 new edges: {:?}", begin.elapsed());
    let begin = Instant::now();
    offer(&ledger, edges.chunks(20_000).map(|part| batch(90 * DAY, part.to_vec())).collect());
    wait_for(&ledger, |snapshot| snapshot.batches == 101);
    println!("100,000 known edges: {:?}", begin.elapsed());
    println!("{:?}", finish(ledger));
    let begin = Instant::now();
    let reader = scene.reader();
    println!("opened in {:?}", begin.elapsed());
    let begin = Instant::now();
    let rows = reader.observed(at(0), at(89 * DAY)).expect("an answer").edges.len();
    println!("observed, 90 days, {rows} keys: {:?}", begin.elapsed());
    let begin = Instant::now();
    let filter = EdgeFilter { limit: Some(100), until: Some(at(89 * DAY)), ..EdgeFilter::default() };
    println!("{} edges: {:?}", reader.edges(&filter).expect("an answer").len(), begin.elapsed());
    let begin = Instant::now();
    println!("{:?} {:?}", reader.summary().expect("an answer"), begin.elapsed());
    let begin = Instant::now();
    finish(scene.open());
    println!("opened to write, with all checks of its size: {:?}", begin.elapsed());
}
