//! Events that carry text from outside.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::encode;
use crate::event::{Body, Event, FindingEvent, FlowEvent, Kind, Violation, samples};
use crate::model::{
    Certificate, Compose, Container, Names, Naming, Parent, Posture, PostureState, Process, Proof, StatedBy,
    TlsVersion, Workload,
};
use crate::shared::Shared;
use crate::verdict::{Nearest, Reason, ReasonId, Verdict};

use super::input::Input;

/// An event of any kind, with texts and numbers from outside in it. It is one line of JSON that reads back as what was
/// written. Returns it, for tests of other forms.
pub fn event(bytes: &[u8]) -> Event {
    let mut input = Input(bytes);
    let kind = Kind::ALL[usize::from(input.u8()) % Kind::ALL.len()];
    let mut body = samples::body(kind);
    match &mut body {
        Body::FlowOpen(flow)
        | Body::FlowFail(flow)
        | Body::FlowClose(flow)
        | Body::FlowUpdate(flow)
        | Body::FlowPosture(flow) => fill(flow, &mut input),
        Body::Finding(finding) => {
            let FindingEvent::Flow(finding) = &mut **finding else { panic!("the sample is about a flow") };
            finding.finding.detail = input.text();
            fill(&mut finding.flow, &mut input);
        }
        Body::Violation(violation) => {
            if let Violation::Flow(flow) = &mut **violation {
                fill(flow, &mut input);
            }
        }
        Body::ListenerOpen(listener) | Body::ListenerFail(listener) | Body::ListenerClose(listener) => {
            listener.process = Some(Shared::new(process(&mut input)));
            listener.verdict = verdict(&mut input);
        }
        Body::FlowSummary(_) | Body::Coverage(_) | Body::DaemonStart(_) | Body::SinkTest(_) => {}
        Body::SinkLost(lost) => lost.gap.reason = input.text().into(),
        Body::EvidenceCheckpoint(event) => event.checkpoint.note = input.text(),
        Body::PolicyApplied(applied) => {
            applied.policy.files = vec![input.text(), input.text()];
            applied.policy.warnings = vec![input.text()];
        }
        Body::DaemonStop(stop) => stop.daemon.reason = input.text(),
    }
    let event = samples::stamper().stamp(samples::now(), body);
    let mut line = Vec::new();
    encode::native(&event, &mut line);
    let (last, text) = line.split_last().expect("a line");
    assert_eq!(*last, b'\n');
    assert!(
        text.iter().all(|byte| *byte >= 0x20),
        "a control character left a string: {:?}",
        line.escape_ascii()
    );
    let back: Event = serde_json::from_slice(text).expect("its own JSON");
    assert_eq!(back, event, "what was written is what is read");
    event
}

fn fill(flow: &mut FlowEvent, input: &mut Input<'_>) {
    flow.process = Some(Shared::new(process(input)));
    flow.peer_process = (input.u8() & 1 == 1).then(|| Shared::new(process(input)));
    flow.flow.peer.name = optional(input);
    flow.flow.bytes_sent = Some(input.u64());
    flow.flow.duration_ms = Some(input.u64());
    flow.posture = (input.u8() & 1 == 1).then(|| Shared::new(posture(input)));
    flow.verdict = Shared::new(verdict(input));
}

fn optional(input: &mut Input<'_>) -> Option<Arc<str>> {
    let text = input.text();
    (!text.is_empty()).then(|| text.into())
}

fn process(input: &mut Input<'_>) -> Process {
    let known = samples::declared(crate::model::Outcome::Established).process;
    let known = known.as_deref().expect("the sample has an owner").clone();
    Process {
        pid: input.u16().into(),
        exe: optional(input),
        script: optional(input),
        comm: optional(input),
        user: optional(input),
        unit: optional(input),
        cgroup: optional(input),
        container: optional(input).map(|id| Container {
            id,
            runtime: optional(input),
            pod: optional(input),
            claimed_by: (input.u8() & 1 == 1).then(|| input.u16().into()),
            naming: naming(input),
        }),
        parent: optional(input).map(|exe| Parent { pid: 1, exe: Some(exe) }),
        ..known
    }
}

fn naming(input: &mut Input<'_>) -> Naming {
    match input.u8() % 4 {
        0 => Naming::Pending,
        1 => Naming::Unknown,
        _ => Naming::Known(Arc::new(names(input))),
    }
}

fn names(input: &mut Input<'_>) -> Names {
    Names {
        name: optional(input),
        image: optional(input),
        image_digest: optional(input),
        image_id: optional(input),
        labels: (0..input.u8() % 4).map(|_| (input.text().into(), input.text().into())).collect(),
        labels_omitted: input.u16().into(),
        // Not in the event: what is read back has none.
        labels_unshown: BTreeMap::new(),
        compose: optional(input).map(|project| Compose { project, service: optional(input) }),
        namespace: optional(input),
        pod_name: optional(input),
        workload: optional(input).map(|kind| Workload { kind, name: input.text().into() }),
        stated_by: StatedBy { uid: input.u16().into(), user: optional(input) },
        writes_state: input.u8() & 1 == 1,
    }
}

fn posture(input: &mut Input<'_>) -> Posture {
    Posture {
        version: (input.u8() & 1 == 1).then_some(TlsVersion::Tls12),
        cipher: optional(input),
        proof: (input.u8() & 1 == 1).then_some(Proof::BothSides),
        sni: optional(input),
        alpn: optional(input).into_iter().collect(),
        certificate: Some(Box::new(Certificate {
            subject: input.text(),
            issuer: input.text(),
            not_after: samples::now(),
        })),
        ..Posture::new(PostureState::WeakTls, input.text())
    }
}

fn verdict(input: &mut Input<'_>) -> Verdict {
    let nearest =
        |input: &mut Input<'_>| optional(input).map(|role| Nearest { role, failed: vec![input.text()] });
    match input.u8() % 3 {
        0 => Verdict::Declared { rule: input.text().into() },
        1 => Verdict::Undecided { missing: vec![input.text()], nearest: nearest(input) },
        _ => Verdict::Violation {
            reasons: vec![Reason { id: ReasonId::Plaintext, detail: input.text() }],
            nearest: nearest(input),
        },
    }
}
