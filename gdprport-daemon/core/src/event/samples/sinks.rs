//! What only receivers of the deliverer get.

use crate::event::{Body, EvidenceCheckpoint, Gap, SignedCheckpoint, SinkLost, SinkRef, SinkTest};
use crate::evidence::{Checkpoint, Facts, Hash, Head, KeyName, Note, Reason, SecretKey, Sums};

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

/// The body of an `evidence.checkpoint`, by the key whose 32 bytes are 1.
pub fn checkpoint() -> Body {
    let name = KeyName::new("gdprport/db-1").expect("a name");
    let checkpoint = Checkpoint {
        origin: name.clone(),
        head: Head { size: 70_000, root: Hash::of(b"root") },
        facts: Some(Facts {
            sequence: 41,
            time: "2026-11-23T13:20:00Z".parse().expect("a timestamp"),
            boot: "8d0f3b62-7a55-4f0c-9d5e-3c1f6a2b4e70".parse().expect("an id"),
            reason: Reason::Activity,
            sums: Sums { watched_ms: 60_000, emitted: 812, unlogged: 0, lost: 3 },
        }),
    };
    let note = Note::sign(checkpoint.to_string(), &[&SecretKey::new(name, &[1; 32])]);
    Body::EvidenceCheckpoint(Box::new(EvidenceCheckpoint {
        checkpoint: SignedCheckpoint {
            log: checkpoint.origin.as_str().into(),
            sequence: 41,
            size: checkpoint.head.size,
            root: checkpoint.head.root.base64(),
            reason: "activity".to_owned(),
            note: note.to_string(),
        },
    }))
}
