//! Events about flows as lines, with little work for each: what many events share (host, process, port, policy) is
//! copied from memory, and only what is an event's own is serialized.
//!
//! Belongs here: the order of the fields of such a line, a second time. The types and their `Serialize` are the first;
//! a test compares the bytes of both. All other kinds are written by [`native`]. Derived from a struct of raw values that
//! share the same memory, a line takes 12,400 instructions instead of 4,500; by the types alone 30,800.

use std::io::Write as _;
use std::net::IpAddr;

use jiff::Timestamp;

use super::escape::json;
use super::memo::Memo;
use super::native::native;
use crate::event::{
    Agent, Body, Event, Flow, FlowEvent, FlowKind, Head, Host, PolicyRef, Port, Violation, time, wire_verdict,
};
use crate::model::{Posture, Process};
use crate::shared::Shared;
use crate::verdict::{Accepted, Verdict};

/// Processes whose JSON is remembered: those of a busy server and its clients; about 800 bytes each.
const PROCESSES: usize = 256;

/// Ports whose JSON is remembered; about 100 bytes each.
const PORTS: usize = 64;

/// Verdicts whose JSON is remembered: a rule's is shared by the flows of a moment, a violation's by the events of its
/// flow; some 300 bytes each.
const VERDICTS: usize = 256;

/// Postures whose JSON is remembered: each is a flow's own and stands in two or three of its events; some 300 bytes.
const POSTURES: usize = 256;

/// Exceptions whose JSON is remembered: each is shared by all that it accepts; some 200 bytes each.
const EXCEPTIONS: usize = 64;

/// Room for most lines of a flow: 1.1 to 1.6 KB.
const LINE: usize = 2_048;

/// Writes events as lines of NDJSON, the same bytes as [`native`].
#[derive(Debug)]
pub struct Encoder {
    origin: Option<Origin>,
    policy: Option<(PolicyRef, Vec<u8>)>,
    ports: Memo<Port>,
    processes: Memo<Process>,
    postures: Memo<Posture>,
    verdicts: Memo<Verdict>,
    exceptions: Memo<Accepted>,
    now: Second,
    opened: Second,
}

/// Host and agent of all events of a run.
#[derive(Debug)]
struct Origin {
    host: Shared<Host>,
    agent: Shared<Agent>,
    json: Vec<u8>,
}

impl Default for Encoder {
    fn default() -> Self {
        Self {
            origin: None,
            policy: None,
            ports: Memo::new(PORTS, json),
            processes: Memo::new(PROCESSES, json),
            postures: Memo::new(POSTURES, json),
            verdicts: Memo::new(VERDICTS, |verdict, to| json(&wire_verdict::VerdictRef::from(verdict), to)),
            exceptions: Memo::new(EXCEPTIONS, json),
            now: Second::default(),
            opened: Second::default(),
        }
    }
}

impl Encoder {
    /// Appends the event as [`native`] does.
    pub fn native(&mut self, event: &Event, line: &mut Vec<u8>) {
        match &event.body {
            Body::FlowOpen(flow) => self.flow(head(event), FlowKind::Open, flow, line),
            Body::FlowFail(flow) => self.flow(head(event), FlowKind::Fail, flow, line),
            Body::FlowClose(flow) => self.flow(head(event), FlowKind::Close, flow, line),
            Body::FlowUpdate(flow) => self.flow(head(event), FlowKind::Update, flow, line),
            Body::FlowPosture(flow) => self.flow(head(event), FlowKind::Posture, flow, line),
            Body::Violation(violation) => match &**violation {
                Violation::Flow(flow) => self.flow(head(event), FlowKind::Violation, flow, line),
                Violation::Listener(_) => native(event, line),
            },
            _ => native(event, line),
        }
    }

    /// Appends an event about a flow as [`native`] appends an [`Event`] with this head and body.
    pub fn flow(&mut self, head: Head<'_>, kind: FlowKind, about: &FlowEvent, line: &mut Vec<u8>) {
        line.reserve(LINE);
        line.extend_from_slice(br#"{"schema":"gdprport.event/1","id":""#);
        line.extend_from_slice(head.id.hyphenated().encode_lower(&mut [0; 36]).as_bytes());
        line.extend_from_slice(br#"","seq":"#);
        number(head.seq, line);
        line.extend_from_slice(br#","time":"#);
        self.now.write(head.time, line);
        line.extend_from_slice(br#","kind":""#);
        line.extend_from_slice(kind.kind().as_str().as_bytes());
        line.extend_from_slice(br#"","severity":""#);
        line.extend_from_slice(about.severity().as_str().as_bytes());
        line.push(b'"');
        self.origin(head, line);
        line.extend_from_slice(br#","port":"#);
        line.extend_from_slice(self.ports.json(&about.port));
        self.connection(&about.flow, line);
        line.extend_from_slice(br#","process":"#);
        match &about.process {
            Some(process) => line.extend_from_slice(self.processes.json(process)),
            None => line.extend_from_slice(b"null"),
        }
        if let Some(process) = &about.peer_process {
            line.extend_from_slice(br#","peer_process":"#);
            line.extend_from_slice(self.processes.json(process));
        }
        if let Some(posture) = &about.posture {
            line.extend_from_slice(br#","posture":"#);
            line.extend_from_slice(self.postures.json(posture));
        }
        line.extend_from_slice(br#","verdict":"#);
        line.extend_from_slice(self.verdicts.json(&about.verdict));
        if let Some(accepted) = &about.accepted {
            line.extend_from_slice(br#","accepted":"#);
            line.extend_from_slice(self.exceptions.json(accepted));
        }
        if let Some(overload) = &about.overload {
            line.extend_from_slice(br#","overload":"#);
            json(overload, line);
        }
        if let Some(volume) = &about.volume {
            line.extend_from_slice(br#","volume":"#);
            json(volume, line);
        }
        line.extend_from_slice(br#","policy":"#);
        self.policy(about.policy.as_ref(), line);
        line.extend_from_slice(b"}\n");
    }

    fn origin(&mut self, head: Head<'_>, line: &mut Vec<u8>) {
        let known = self
            .origin
            .as_ref()
            .is_some_and(|known| known.host.same(head.host) && known.agent.same(head.agent));
        if !known {
            self.origin = None;
        }
        let origin = self.origin.get_or_insert_with(|| {
            let mut text = br#","host":"#.to_vec();
            json(head.host, &mut text);
            text.extend_from_slice(br#","agent":"#);
            json(head.agent, &mut text);
            Origin { host: Shared::clone(head.host), agent: Shared::clone(head.agent), json: text }
        });
        line.extend_from_slice(&origin.json);
    }

    fn policy(&mut self, policy: Option<&PolicyRef>, line: &mut Vec<u8>) {
        let Some(policy) = policy else { return line.extend_from_slice(b"null") };
        if self.policy.as_ref().is_none_or(|(known, _)| known != policy) {
            self.policy = None;
        }
        let (_, text) = self.policy.get_or_insert_with(|| {
            let mut text = Vec::new();
            json(policy, &mut text);
            (policy.clone(), text)
        });
        line.extend_from_slice(text);
    }

    fn connection(&mut self, flow: &Flow, line: &mut Vec<u8>) {
        line.extend_from_slice(br#","flow":{"id":""#);
        flow.id.append(line);
        line.extend_from_slice(br#"","cookie":""#);
        hexadecimal(flow.cookie.0, line);
        line.extend_from_slice(br#"","direction":""#);
        line.extend_from_slice(flow.direction.as_str().as_bytes());
        line.extend_from_slice(br#"","local":{"ip":""#);
        address(flow.local.ip, line);
        line.extend_from_slice(br#"","port":"#);
        number(flow.local.port.into(), line);
        line.extend_from_slice(br#"},"peer":{"ip":""#);
        address(flow.peer.ip, line);
        line.extend_from_slice(br#"","port":"#);
        number(flow.peer.port.into(), line);
        if let Some(name) = &flow.peer.name {
            line.extend_from_slice(br#","name":"#);
            json(name, line);
        }
        line.push(b'}');
        if let Some(nat) = &flow.nat {
            line.extend_from_slice(br#","nat":"#);
            json(nat, line);
        }
        line.extend_from_slice(br#","opened":"#);
        match flow.opened {
            Some(time) => self.opened.write(time, line),
            None => line.extend_from_slice(b"null"),
        }
        count(br#","duration_ms":"#, flow.duration_ms, line);
        count(br#","bytes_sent":"#, flow.bytes_sent, line);
        count(br#","bytes_received":"#, flow.bytes_received, line);
        count(br#","rtt_us":"#, flow.rtt_us.map(u64::from), line);
        count(br#","retransmits":"#, flow.retransmits.map(u64::from), line);
        line.extend_from_slice(br#","outcome":""#);
        line.extend_from_slice(flow.outcome.as_str().as_bytes());
        let end: &[u8] = if flow.would_deny { br#"","would_deny":true}"# } else { br#""}"# };
        line.extend_from_slice(end);
    }
}

fn head(event: &Event) -> Head<'_> {
    Head { id: event.id, seq: event.seq, time: event.time, host: &event.host, agent: &event.agent }
}

/// A number that may not be known. Inlined, so that the name is copied without a call.
#[inline(always)]
fn count(name: &[u8], known: Option<u64>, line: &mut Vec<u8>) {
    line.extend_from_slice(name);
    match known {
        Some(known) => number(known, line),
        None => line.extend_from_slice(b"null"),
    }
}

fn number(number: u64, line: &mut Vec<u8>) {
    json(&number, line);
}

fn hexadecimal(number: u64, line: &mut Vec<u8>) {
    let (mut text, mut begin, mut rest) = ([b'0'; 16], 15, number);
    while rest > 15 {
        text[begin] = b"0123456789abcdef"[rest as usize & 15];
        rest >>= 4;
        begin -= 1;
    }
    text[begin] = b"0123456789abcdef"[rest as usize];
    line.extend_from_slice(&text[begin..]);
}

fn address(ip: IpAddr, line: &mut Vec<u8>) {
    match ip {
        IpAddr::V4(ip) => {
            let (mut text, mut end) = ([b'.'; 16], 0);
            for octet in ip.octets() {
                if octet >= 100 {
                    text[end] = b'0' + octet / 100;
                    end += 1;
                }
                if octet >= 10 {
                    text[end] = b'0' + octet / 10 % 10;
                    end += 1;
                }
                text[end] = b'0' + octet % 10;
                end += 2;
            }
            line.extend_from_slice(&text[..end - 1]);
        }
        IpAddr::V6(ip) => write!(line, "{ip}").expect("writing to memory cannot fail"),
    }
}

/// The last second that was written: most times of a busy host differ in their fraction only.
#[derive(Debug, Default)]
struct Second {
    second: i64,
    /// From the quote to the fraction's point.
    text: Vec<u8>,
}

impl Second {
    /// Appends a time as [`time`] writes it.
    fn write(&mut self, time: Timestamp, line: &mut Vec<u8>) {
        let (second, nanosecond) = (time.as_second(), time.subsec_nanosecond());
        let Ok(mut micros) = u32::try_from(nanosecond / 1_000) else {
            // Before 1970 the fraction counts the other way.
            return json(&time::Micros(time), line);
        };
        if second != self.second || self.text.is_empty() {
            self.second = second;
            self.text.clear();
            json(&time::Micros(time), &mut self.text);
            // `123456Z` and a quote stand behind the point.
            self.text.truncate(self.text.len() - 8);
        }
        line.extend_from_slice(&self.text);
        let mut digits = *b"000000Z\"";
        for digit in digits[..6].iter_mut().rev() {
            *digit = b'0' + (micros % 10) as u8;
            micros /= 10;
        }
        line.extend_from_slice(&digits);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::community_id::CommunityId;
    use crate::event::{Cookie, Peer, samples};
    use crate::model::{Direction, Endpoint, Nat, Outcome, Translation};

    fn both(encoder: &mut Encoder, event: &Event) -> (String, String) {
        let (mut fast, mut plain) = (Vec::new(), Vec::new());
        encoder.native(event, &mut fast);
        native(event, &mut plain);
        (String::from_utf8(fast).expect("UTF-8"), String::from_utf8(plain).expect("UTF-8"))
    }

    /// The first time, and again from memory.
    #[test]
    fn every_kind_has_the_same_bytes_as_by_the_types() {
        let mut encoder = Encoder::default();
        for event in samples::events().iter().chain(&samples::events()) {
            let (fast, plain) = both(&mut encoder, event);
            assert_eq!(fast, plain);
        }
    }

    #[test]
    fn the_memory_never_mixes_up_two_values() {
        let mut encoder = Encoder::default();
        for pid in 0..2_000 {
            let mut flow = samples::forbidden();
            samples::change_process(&mut flow, |process| process.pid = pid);
            let number = u16::try_from(pid).expect("small");
            flow.port = Shared::new(Port { number, ..(*flow.port).clone() });
            flow.policy = Some(PolicyRef { digest: format!("sha256:{pid}").into() });
            let event = samples::stamper().stamp(samples::now(), Body::FlowOpen(Box::new(flow)));
            let (fast, plain) = both(&mut encoder, &event);
            assert_eq!(fast, plain);
        }
    }

    fn ip() -> impl Strategy<Value = IpAddr> {
        prop_oneof![any::<[u8; 4]>().prop_map(IpAddr::from), any::<[u16; 8]>().prop_map(IpAddr::from)]
    }

    fn translation() -> impl Strategy<Value = Translation> {
        let end = || prop::option::of((ip(), any::<u16>()).prop_map(|(ip, port)| Endpoint::new(ip, port)));
        (end(), end(), end()).prop_map(|(peer, destination, source)| Translation {
            peer,
            destination,
            source,
        })
    }

    proptest! {
        #[test]
        fn any_flow_has_the_same_bytes_as_by_the_types(
            ends in (ip(), any::<u16>(), ip(), any::<u16>()),
            cookie in any::<u64>(),
            opened in prop::option::of((-3_000_000_000_i64..3_000_000_000, 0..999_999_999_i32)),
            counts in any::<(Option<u64>, Option<u64>, Option<u64>, Option<u32>, Option<u32>)>(),
            name in prop::option::of(any::<String>()),
            rule in any::<String>(),
            nat in prop_oneof![
                Just(None),
                Just(Some(Nat::Pending)),
                Just(Some(Nat::Unknown)),
                translation().prop_map(|nat| Some(Nat::Translated(Box::new(nat)))),
            ],
        ) {
            let (local, peer) = (Endpoint::new(ends.0, ends.1), Endpoint::new(ends.2, ends.3));
            let time = |(second, nanosecond)| Timestamp::new(second, nanosecond).expect("in range");
            let flow = Flow {
                id: CommunityId::tcp(local, peer),
                cookie: Cookie(cookie),
                direction: Direction::In,
                local,
                peer: Peer { ip: peer.ip, port: peer.port, name: name.map(Arc::from) },
                nat,
                opened: opened.map(time),
                duration_ms: counts.0,
                bytes_sent: counts.1,
                bytes_received: counts.2,
                rtt_us: counts.3,
                retransmits: counts.4,
                outcome: Outcome::TimedOut,
                would_deny: cookie & 1 == 1,
            };
            let verdict = Shared::new(Verdict::Declared { rule: rule.into() });
            let about = FlowEvent { flow, verdict, ..samples::forbidden() };
            let now = opened.map_or_else(samples::now, time);
            let event = samples::stamper().stamp(now, Body::FlowClose(Box::new(about)));
            let mut encoder = Encoder::default();
            let (fast, plain) = both(&mut encoder, &event);
            prop_assert_eq!(&fast, &plain);
            let (again, _) = both(&mut encoder, &event);
            prop_assert_eq!(again, plain);
        }
    }
}
