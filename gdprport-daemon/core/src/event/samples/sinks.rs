//! What the deliverer reports of a sink.

use crate::event::{Body, Gap, SinkLost, SinkRef, SinkTest};

fn sink() -> SinkRef {
    SinkRef { name: "siem".into(), transport: "syslog".into() }
}

/// The body of a `sink.lost`.
pub fn lost() -> Body {
    Body::SinkLost(Box::new(SinkLost {
        sink: sink(),
        gap: Gap {
            from: "2026-11-23T13:19:10Z".parse().expect("a timestamp"),
            to: "2026-11-23T13:19:11Z".parse().expect("a timestamp"),
            lost: 9,
            bound: None,
            summed: None,
            reason: "removed".into(),
        },
    }))
}

/// The body of a `sink.test`.
pub fn test() -> Body {
    Body::SinkTest(Box::new(SinkTest { sink: sink() }))
}
