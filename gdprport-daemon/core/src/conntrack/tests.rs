//! Questions as the kernel reads them, and answers of all kinds.

use super::*;

fn end(text: &str) -> Endpoint {
    let address: std::net::SocketAddr = text.parse().expect("an address");
    Endpoint::new(address.ip(), address.port())
}

fn tuple(from: &str, to: &str) -> Tuple {
    Tuple { from: end(from), to: end(to) }
}

fn question(direction: Direction, local: &str, peer: &str) -> Question {
    Question { cookie: 7, direction, local: end(local), peer: end(peer) }
}

fn tracked(original: Tuple, reply: Tuple) -> Answer {
    Answer::Tracked(Tracked { original, reply, zoned: false })
}

/// An entry as the kernel sends it.
fn sent(original: Tuple, reply: Tuple, zone: Option<u16>) -> Vec<u8> {
    let mut to = Vec::new();
    let family = if original.from.ip.is_ipv4() { INET } else { INET6 };
    message(NEW, 3, family, &mut to);
    for (kind, Tuple { from, to: dest }) in [(TUPLE_ORIG, original), (TUPLE_REPLY, reply)] {
        nest(kind, &mut to, |to| {
            nest(TUPLE_IP, to, |to| {
                for (number, ip) in [(1, from.ip), (2, dest.ip)] {
                    match ip {
                        IpAddr::V4(ip) => attribute(number, &ip.octets(), to),
                        IpAddr::V6(ip) => attribute(number + 2, &ip.octets(), to),
                    }
                }
            });
            nest(TUPLE_PROTO, to, |to| {
                attribute(PROTO_NUM, &[TCP], to);
                attribute(PROTO_SRC_PORT, &from.port.to_be_bytes(), to);
                attribute(PROTO_DST_PORT, &dest.port.to_be_bytes(), to);
            });
        });
    }
    attribute(3, &[0, 0, 1, 8], &mut to);
    if let Some(zone) = zone {
        attribute(ZONE, &zone.to_be_bytes(), &mut to);
    }
    set_length(0, 4, &mut to);
    to
}

const CLIENT: &str = "203.0.113.7:48212";
const PUBLISHED: &str = "192.0.2.10:15432";
const CONTAINER: &str = "172.17.0.2:5432";
const GATEWAY: &str = "172.17.0.1:40001";

#[test]
fn an_entry_is_read_as_the_kernel_sends_it() {
    for (client, published, container, gateway) in [
        (CLIENT, PUBLISHED, CONTAINER, GATEWAY),
        ("[2001:db8::7]:1", "[2001:db8::1]:2", "[fd00::2]:3", "[fd00::1]:4"),
    ] {
        let (original, reply) = (tuple(client, published), tuple(container, gateway));
        let read = |zone| read_reply(&sent(original, reply, zone)).expect("an answer");
        assert_eq!(read(None), Reply { number: 3, answer: tracked(original, reply) });
        let zoned = Answer::Tracked(Tracked { original, reply, zoned: true });
        assert_eq!(read(Some(9)).answer, zoned);
    }
}

#[test]
fn every_cut_of_an_entry_is_no_answer_or_a_refusal() {
    let whole = sent(tuple(CLIENT, PUBLISHED), tuple(CONTAINER, GATEWAY), None);
    for length in 0..whole.len() {
        assert_eq!(read_reply(&whole[..length]), None, "{length}");
        let mut shorter = whole[..length].to_vec();
        if length >= 4 {
            set_length(0, 4, &mut shorter);
        }
        let answer = read_reply(&shorter).map(|reply| reply.answer);
        let entry = matches!(answer, Some(Answer::Tracked(_)));
        assert!(!entry || length + 8 >= whole.len(), "{length}: {answer:?}");
    }
}

#[test]
fn an_error_is_no_entry_or_a_refusal() {
    for (error, answer) in
        [(-2_i32, Answer::NoEntry), (-1, Answer::Refused(1)), (i32::MIN, Answer::Refused(i32::MAX))]
    {
        let mut to = Vec::new();
        message(ERROR, 5, 0, &mut to);
        to.truncate(HEADER);
        to.extend(error.to_ne_bytes());
        set_length(0, 4, &mut to);
        assert_eq!(read_reply(&to), Some(Reply { number: 5, answer }));
    }
}

#[test]
fn a_question_names_the_tuple_that_the_socket_has() {
    let mut to = Vec::new();
    ask(&question(Direction::In, CONTAINER, GATEWAY), 9, &mut to);
    assert_eq!(to.len(), HEADER + FAMILY + 52);
    assert_eq!(to[..4], 72_u32.to_ne_bytes());
    assert_eq!(to[20..24], [52, 0, 2, 0x80]);
    assert_eq!(to[28..36], [8, 0, 1, 0, 172, 17, 0, 2]);
    let begin = to.len();
    ask(&question(Direction::Out, "[fd00::1]:4", "[fd00::2]:3"), 10, &mut to);
    assert_eq!(to[begin..begin + 4], 96_u32.to_ne_bytes());
    assert_eq!(to[begin + 22..begin + 24], [1, 0x80]);
}

fn of(direction: Direction, local: &str, peer: &str, answer: Answer) -> Option<Nat> {
    translation(&question(direction, local, peer), &answer)
}

fn translated(peer: Option<&str>, destination: Option<&str>, source: Option<&str>) -> Option<Nat> {
    let [peer, destination, source] = [peer, destination, source].map(|text| text.map(end));
    Some(Nat::Translated(Box::new(Translation { peer, destination, source })))
}

#[test]
fn a_published_port_shows_what_the_client_called() {
    let entry = tracked(tuple(CLIENT, PUBLISHED), tuple(CONTAINER, CLIENT));
    assert_eq!(of(Direction::In, CONTAINER, CLIENT, entry), translated(None, Some(PUBLISHED), None));
}

#[test]
fn a_masqueraded_client_is_known_by_its_own_address() {
    let entry = tracked(tuple(CLIENT, PUBLISHED), tuple(CONTAINER, GATEWAY));
    assert_eq!(of(Direction::In, CONTAINER, GATEWAY, entry), translated(Some(CLIENT), Some(PUBLISHED), None));
}

#[test]
fn a_service_address_shows_the_server_behind_it() {
    let (pod, service, backend) = ("10.244.0.9:40000", "10.96.0.7:5432", "10.244.3.4:5432");
    let entry = tracked(tuple(pod, service), tuple(backend, pod));
    assert_eq!(of(Direction::Out, pod, service, entry), translated(Some(backend), None, None));
    let node = "192.0.2.20:62001";
    let entry = tracked(tuple(pod, service), tuple(backend, node));
    assert_eq!(of(Direction::Out, pod, service, entry), translated(Some(backend), None, Some(node)));
    // The other end on the same host.
    assert_eq!(of(Direction::In, backend, node, entry), translated(Some(pod), Some(service), None));
}

#[test]
fn a_connection_that_is_not_translated_has_nothing_to_show() {
    let plain = tracked(tuple(CLIENT, CONTAINER), tuple(CONTAINER, CLIENT));
    assert_eq!(of(Direction::In, CONTAINER, CLIENT, plain), None);
    assert_eq!(of(Direction::Out, CLIENT, CONTAINER, plain), None);
    assert_eq!(of(Direction::In, CONTAINER, CLIENT, Answer::NoEntry), None);
    // Tracked from its middle on, so in the other order.
    assert_eq!(of(Direction::Out, CONTAINER, CLIENT, plain), None);
}

#[test]
fn an_answer_that_does_not_fit_decides_nothing() {
    let entry = tracked(tuple(CLIENT, PUBLISHED), tuple(CONTAINER, GATEWAY));
    // The direction is not the socket's, the tuple is another one's, or there are zones.
    assert_eq!(of(Direction::Out, CONTAINER, GATEWAY, entry), Some(Nat::Unknown));
    assert_eq!(of(Direction::In, CONTAINER, CLIENT, entry), Some(Nat::Unknown));
    let plain = tracked(tuple(CLIENT, PUBLISHED), tuple(PUBLISHED, CLIENT));
    assert_eq!(of(Direction::In, CONTAINER, CLIENT, plain), Some(Nat::Unknown));
    let Answer::Tracked(tracked) = entry else { panic!("an entry") };
    let zoned = Answer::Tracked(Tracked { zoned: true, ..tracked });
    assert_eq!(of(Direction::In, CONTAINER, GATEWAY, zoned), Some(Nat::Unknown));
    assert_eq!(of(Direction::In, CONTAINER, GATEWAY, Answer::Refused(1)), Some(Nat::Unknown));
}
