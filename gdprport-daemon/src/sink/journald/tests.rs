//! Promises of the journald sink, against a socket that the test binds.

use std::fs::File;
use std::io::{IoSliceMut, Read, Seek};
use std::time::{Duration, Instant};

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags};
use tempfile::TempDir;

use super::*;
use crate::sink::destination::DEFAULT_CAPACITY;
use crate::sink::testing::{batch, dropped, wait_until};
use gdprport_core::audit::Change;
use gdprport_core::event::{AuditFindingEvent, Body, FindingEvent, Kind, Violation, samples};
use gdprport_core::model::Outcome;
use gdprport_core::shared::Shared;
use gdprport_core::verdict::Verdict;

struct FakeJournald {
    socket: UnixDatagram,
    path: PathBuf,
    _dir: TempDir,
}

impl FakeJournald {
    fn new() -> Self {
        let dir = TempDir::new().expect("a temporary directory");
        let path = dir.path().join("socket");
        let socket = UnixDatagram::bind(&path).expect("a socket");
        socket.set_read_timeout(Some(Duration::from_secs(30))).expect("a time-out");
        Self { socket, path, _dir: dir }
    }

    fn sink(&self) -> Sink {
        let render = Box::new(|event: &Event, words: &mut Vec<u8>| {
            words.extend_from_slice(format!("{} on\nthe host", event.body.kind()).as_bytes());
        });
        Sink::journald(&self.path, DEFAULT_CAPACITY, render).expect("it listens")
    }

    /// One record as (field, value) pairs, from a datagram or a memory file.
    fn record(&self) -> Vec<(String, Vec<u8>)> {
        let mut data = vec![0; 1 << 20];
        let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let got = rustix::net::recvmsg(
            &self.socket,
            &mut [IoSliceMut::new(&mut data)],
            &mut control,
            RecvFlags::empty(),
        )
        .expect("a record");
        data.truncate(got.bytes);
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(fds) = message {
                for fd in fds {
                    let seals = rustix::fs::fcntl_get_seals(&fd).expect("a memory file");
                    assert!(seals.contains(SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK));
                    assert!(data.is_empty(), "journald takes a file only alone");
                    let mut file = File::from(fd);
                    file.rewind().expect("seekable");
                    file.read_to_end(&mut data).expect("readable");
                }
            }
        }
        parse(&data)
    }
}

fn parse(mut data: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut fields = Vec::new();
    while !data.is_empty() {
        let end = data.iter().position(|byte| matches!(byte, b'=' | b'\n')).expect("a name");
        let name = String::from_utf8(data[..end].to_vec()).expect("ASCII");
        let (value, rest) = if data[end] == b'=' {
            let rest = &data[end + 1..];
            rest.split_at(rest.iter().position(|&byte| byte == b'\n').expect("an end"))
        } else {
            let (length, rest) = data[end + 1..].split_at(8);
            let length = u64::from_le_bytes(length.try_into().expect("8 bytes"));
            rest.split_at(usize::try_from(length).expect("in range"))
        };
        assert_eq!(rest[0], b'\n');
        fields.push((name, value.to_vec()));
        data = &rest[1..];
    }
    fields
}

fn text<'a>(record: &'a [(String, Vec<u8>)], name: &str) -> Vec<&'a str> {
    let values = record.iter().filter(|(field, _)| field == name);
    values.map(|(_, value)| std::str::from_utf8(value).expect("UTF-8")).collect()
}

fn publish(sink: &Sink, body: Body) {
    sink.push(&batch([samples::stamper().stamp(samples::now(), body)]));
}

#[test]
fn an_event_is_found_by_its_fields() {
    let journald = FakeJournald::new();
    let sink = journald.sink();
    publish(&sink, samples::body(Kind::Violation));
    let record = journald.record();
    for (field, expected) in [
        ("MESSAGE", "violation on\nthe host"),
        ("PRIORITY", "3"),
        ("SYSLOG_IDENTIFIER", "gdprport"),
        ("GDPRPORT_KIND", "violation"),
        ("GDPRPORT_SEVERITY", "high"),
        ("GDPRPORT_PORT", "customers-db"),
        ("GDPRPORT_FLOW_ID", "1:kyaC+DSFrgYS21zQB11Bsi1b5bM="),
        ("GDPRPORT_PEER", "203.0.113.7"),
        ("GDPRPORT_VERDICT", "violation"),
        ("GDPRPORT_REASON", "undeclared-peer"),
        ("GDPRPORT_UNIT", "etl.service"),
        ("GDPRPORT_EXE", "/usr/bin/python3.11"),
        ("GDPRPORT_USER", "etl"),
    ] {
        assert_eq!(text(&record, field), [expected], "{field}");
    }
    let event: Event = serde_json::from_str(text(&record, "GDPRPORT_EVENT")[0]).expect("the native event");
    assert_eq!(text(&record, "GDPRPORT_ID"), [event.id.to_string()]);
}

#[test]
fn a_finding_of_an_audit_is_found_by_its_fingerprint() {
    let journald = FakeJournald::new();
    let sink = journald.sink();
    let change = samples::findings::change(Change::Changed, true);
    let event = AuditFindingEvent::new(change.clone(), samples::policy());
    publish(&sink, Body::Finding(Box::new(FindingEvent::Audit(event))));
    let record = journald.record();
    for (field, expected) in [
        ("GDPRPORT_KIND", "finding"),
        ("GDPRPORT_SEVERITY", "low"),
        ("GDPRPORT_PORT", "customers-db"),
        ("GDPRPORT_FINDING", "plaintext-seen"),
        ("GDPRPORT_FINGERPRINT", &change.finding.fingerprint),
        ("GDPRPORT_STATE", "changed"),
        ("GDPRPORT_ACCEPTED_BY", "dpo@example.org"),
        ("GDPRPORT_ACCEPTED_UNTIL", "2027-01-31"),
    ] {
        assert_eq!(text(&record, field), [expected], "{field}");
    }
}

#[test]
fn containers_are_found_by_their_names() {
    let journald = FakeJournald::new();
    let sink = journald.sink();
    let send = |container| {
        let mut flow = samples::declared(Outcome::Established);
        samples::change_process(&mut flow, |process| process.container = Some(container));
        publish(&sink, Body::FlowOpen(Box::new(flow)));
        journald.record()
    };
    let record = send(samples::containers::pod());
    for (field, expected) in [
        ("GDPRPORT_CONTAINER", "app"),
        ("GDPRPORT_IMAGE", "registry.example/shop/orders:1.4"),
        ("GDPRPORT_NAMESPACE", "shop"),
        ("GDPRPORT_POD", "orders-7d9f8b6c5-x2x1q"),
    ] {
        assert_eq!(text(&record, field), [expected], "{field}");
    }
    let record = send(samples::containers::unknown());
    assert_eq!(text(&record, "GDPRPORT_CONTAINER"), ["4f20".repeat(16)]);
    assert!(text(&record, "GDPRPORT_IMAGE").is_empty());
}

#[test]
fn every_kind_is_a_valid_record() {
    let journald = FakeJournald::new();
    let sink = journald.sink();
    for event in samples::events() {
        let kind = event.body.kind();
        sink.push(&batch([event]));
        let record = journald.record();
        assert_eq!(text(&record, "GDPRPORT_KIND"), [kind.as_str()]);
        let valid = |name: &str| name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
        assert!(record.iter().all(|(name, _)| valid(name)));
    }
}

#[test]
fn a_record_too_large_for_a_datagram_arrives_whole() {
    let journald = FakeJournald::new();
    let sink = journald.sink();
    let mut flow = samples::declared(Outcome::Established);
    let missing = vec!["x".repeat(4_000_000)];
    flow.verdict = Shared::new(Verdict::Undecided { missing: missing.clone(), nearest: None });
    publish(&sink, Body::Violation(Box::new(Violation::Flow(flow))));
    let record = journald.record();
    let event: Event = serde_json::from_str(text(&record, "GDPRPORT_EVENT")[0]).expect("the native event");
    assert_eq!(event.body.verdict(), Some(&Verdict::Undecided { missing, nearest: None }));
    wait_until(|| sink.stats().counts.delivered == 1);
}

/// Nothing else is lost, and what is lost is counted.
#[test]
fn a_restart_of_journald_loses_what_was_sent_meanwhile() {
    let journald = FakeJournald::new();
    let sink = journald.sink();
    let FakeJournald { socket, path, _dir } = journald;
    drop(socket);
    publish(&sink, samples::body(Kind::FlowOpen));
    wait_until(|| sink.stats().counts.queued == 0);
    assert_eq!(dropped(&sink.stats()), [("io-error", 1)]);
    std::fs::remove_file(&path).expect("remove");
    let socket = UnixDatagram::bind(&path).expect("a socket");
    socket.set_read_timeout(Some(Duration::from_secs(30))).expect("a time-out");
    let journald = FakeJournald { socket, path, _dir };
    publish(&sink, samples::body(Kind::FlowClose));
    assert_eq!(text(&journald.record(), "GDPRPORT_KIND"), ["flow.close"]);
    let stats = sink.finish(Instant::now() + Duration::from_secs(30));
    assert_eq!((stats.counts.delivered, dropped(&stats)), (1, vec![("io-error", 1)]));
}

#[test]
fn without_journald_the_sink_is_refused_with_its_remedy() {
    let dir = TempDir::new().expect("a temporary directory");
    let render: Render = Box::new(|_, _| {});
    let error =
        Sink::journald(&dir.path().join("socket"), DEFAULT_CAPACITY, render).expect_err("nothing there");
    assert!(error.to_string().contains("is systemd-journald running?"), "{error}");
}
