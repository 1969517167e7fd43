//! How many events a second each receiver is sent, side by side: to be compared with plain HTTP, not with other machines.

use std::time::{Duration, Instant};

use gdprport_tests::receivers::{
    Bulk, Fake, Hec, Loki as FakeLoki, Otlp as FakeOtlp, Plain, Protocol, Request, Taken,
};

use super::super::testing::{batch, secret, settings};
use super::super::{Elastic, Loki, Ndjson, Otlp, Splunk};
use crate::deliver::{Outcome, Transport};
use gdprport_core::delivery::{
    Auth, ElasticSettings, HttpSettings, LokiSettings, OtlpSettings, SplunkSettings,
};

const EVENTS: usize = 20_000;

/// A receiver so far away: each request takes so long.
struct Far(Hec, Duration);

impl Protocol for Far {
    fn take(&mut self, request: &Request) -> Taken {
        std::thread::sleep(self.1);
        self.0.take(request)
    }
}

type Make<'a> = &'a dyn Fn(HttpSettings) -> Box<dyn Transport>;

fn rate(fake: impl Protocol + 'static, transport: Make<'_>) -> f64 {
    rate_of(fake, transport, usize::MAX)
}

/// With so many events in a batch at most.
fn rate_of(fake: impl Protocol + 'static, transport: Make<'_>, most: usize) -> f64 {
    let (fake, events) = (Fake::start(fake), batch(EVENTS));
    let mut transport = transport(HttpSettings { timeout: Duration::from_secs(60), ..settings(&fake.url()) });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let begun = Instant::now();
    for part in events.chunks(transport.limits().events.min(most)) {
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
                http: HttpSettings { auth: Auth::Token(token.clone()), ..http },
                index: None,
                sourcetype: "gdprport:event".to_owned(),
                source: "gdprport".to_owned(),
                ack,
                ack_timeout: Duration::from_secs(10),
            }))
        }
    };
    let far = || Far(Hec { ack: Some(3), ..Hec::new("token") }, Duration::from_millis(50));
    let rates = [
        ("http", rate(Plain::default(), &|http| Box::new(Ndjson::new(http)))),
        ("splunk", rate(Hec::new("token"), &splunk(false))),
        ("splunk, ack", rate(Hec { ack: Some(1), ..Hec::new("token") }, &splunk(true))),
        ("splunk, ack, 50 ms away, one request", rate_of(far(), &splunk(true), 500)),
        ("splunk, ack, 50 ms away", rate(far(), &splunk(true))),
        (
            "elastic",
            rate(Bulk::new("logs"), &|http| {
                Box::new(Elastic::new(ElasticSettings { http, data_stream: "logs".to_owned() }))
            }),
        ),
        (
            "loki",
            rate(FakeLoki::default(), &|http| {
                Box::new(Loki::new(LokiSettings { http, tenant: None, structured_metadata: true }))
            }),
        ),
        ("otlp", rate(FakeOtlp::default(), &|http| Box::new(Otlp::new(OtlpSettings { http })))),
    ];
    let plain = rates[0].1;
    for (name, rate) in rates {
        println!("{name:36} {rate:8.0} events/s  {:.2} of http", rate / plain);
    }
}
