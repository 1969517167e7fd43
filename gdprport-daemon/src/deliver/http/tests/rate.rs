//! How many events a second each receiver is sent, side by side: to be compared with plain HTTP, not with other machines.

use std::time::{Duration, Instant};

use gdprport_tests::receivers::{Bulk, Fake, Hec, Loki as FakeLoki, Otlp as FakeOtlp, Plain, Protocol};

use super::super::testing::{batch, secret, settings};
use super::super::{Elastic, Loki, Ndjson, Otlp, Splunk};
use crate::deliver::{Outcome, Transport};
use gdprport_core::delivery::{
    Auth, ElasticSettings, HttpSettings, LokiSettings, OtlpSettings, SplunkSettings,
};

const EVENTS: usize = 20_000;

fn rate(fake: impl Protocol + 'static, transport: impl FnOnce(HttpSettings) -> Box<dyn Transport>) -> f64 {
    let (fake, events) = (Fake::start(fake), batch(EVENTS));
    let mut transport = transport(HttpSettings { timeout: Duration::from_secs(60), ..settings(&fake.url()) });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let begun = Instant::now();
    for part in events.chunks(transport.limits().events) {
        assert_eq!(runtime.block_on(transport.send(part)), Outcome::all(part.len()));
    }
    let rate = EVENTS as f64 / begun.elapsed().as_secs_f64();
    assert_eq!(fake.distinct().len(), EVENTS);
    rate
}

#[test]
#[ignore = "on demand: a measurement, to be run by name with --nocapture"]
fn rates_of_receivers_side_by_side() {
    let dir = tempfile::tempdir().expect("a directory");
    let token = secret(&dir, "token");
    let splunk = |ack| {
        let token = token.clone();
        move |http: HttpSettings| -> Box<dyn Transport> {
            Box::new(Splunk::new(SplunkSettings {
                http: HttpSettings { auth: Auth::Token(token), ..http },
                index: None,
                sourcetype: "gdprport:event".to_owned(),
                source: "gdprport".to_owned(),
                ack,
                ack_timeout: Duration::from_secs(10),
            }))
        }
    };
    let rates = [
        ("http", rate(Plain::default(), |http| Box::new(Ndjson::new(http)))),
        ("splunk", rate(Hec::new("token"), splunk(false))),
        ("splunk, ack", rate(Hec { ack: Some(1), ..Hec::new("token") }, splunk(true))),
        (
            "elastic",
            rate(Bulk::new("logs"), |http| {
                Box::new(Elastic::new(ElasticSettings { http, data_stream: "logs".to_owned() }))
            }),
        ),
        (
            "loki",
            rate(FakeLoki::default(), |http| {
                Box::new(Loki::new(LokiSettings { http, tenant: None, structured_metadata: true }))
            }),
        ),
        ("otlp", rate(FakeOtlp::default(), |http| Box::new(Otlp::new(OtlpSettings { http })))),
    ];
    let plain = rates[0].1;
    for (name, rate) in rates {
        println!("{name:12} {rate:8.0} events/s  {:.2} of http", rate / plain);
    }
}
