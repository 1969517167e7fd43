//! What must hold for anything a client sends, as assertions over any bytes: used by the fuzzer (`fuzz/`) and by the
//! property tests below. Compiled for those two only.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::runtime::{Builder, Runtime};
use tokio::task::yield_now;

use super::{Credentials, Options, admit, routes, scrapes, serve_connection};
use crate::control::api::{ExplainReply, FlowsReply, RecordReply, samples};
use crate::control::handle::{Inbox, Request, channel};

thread_local! {
    static RUNTIME: Runtime =
        Builder::new_current_thread().enable_all().build().expect("a runtime needs a few descriptors only");
}

/// How often the server gets its turn before the client is done with sending: often enough to reply to what there is.
const TURNS: usize = 16;

/// The codes that the server or the HTTP library under it replies with. A 500 would be a fault of ours.
const CODES: [&str; 10] = ["200", "400", "403", "404", "405", "408", "413", "414", "422", "431"];

/// A member of the group (the first byte is even) or root sends any bytes and then hangs up. What comes back is HTTP
/// with a code of [`CODES`], the policy is reloaded and an audit recorded for root only, and every place that was taken is given back.
pub fn request(bytes: &[u8]) {
    let (how, bytes) = bytes.split_first().map_or((0, bytes), |(how, rest)| (*how, rest));
    let root = how & 1 == 1;
    let peer: fn(&UnixStream) -> io::Result<Credentials> = if root {
        |_| Ok(Credentials { pid: None, uid: 0 })
    } else {
        |_| Ok(Credentials { pid: None, uid: 1_001 })
    };
    let options = Options { peer, ..Options::default() };
    RUNTIME.with(|runtime| {
        runtime.block_on(async {
            let (handle, mut inbox) = channel();
            let (client, server) = UnixStream::pair().expect("two descriptors");
            let scrapes = scrapes::of_loop(handle.clone(), options.reply_within);
            let router = routes::router(handle.clone(), options.reply_within, scrapes);
            let (_stopping, stopped) = tokio::sync::watch::channel(());
            let (stream, peer, place) =
                admit(server, handle.counters(), &options).expect("there is room for one");
            let serving = async {
                let _place = place;
                serve_connection(stream, peer, router, options, stopped).await
            };
            let (mut received, mut reloads) = (Vec::new(), 0);
            {
                let conversation = async { tokio::join!(serving, send(client, bytes, &mut received)) };
                tokio::select! {
                    _ = conversation => {}
                    () = serve_requests(&mut inbox, &mut reloads) => unreachable!("a handle is still held"),
                }
            }
            is_http(&received);
            assert!(root || reloads == 0, "something was changed for a member of the group");
            let counters = inbox.counters();
            assert_eq!(
                (counters.connections, counters.followers),
                (0, 0),
                "places are given back: {counters:?}"
            );
            assert_eq!(handle.counters().lists.load(std::sync::atomic::Ordering::Relaxed), 0, "lists too");
        });
    });
}

/// Sends all of it, lets the server have its turns, hangs up, and reads the replies.
async fn send(client: UnixStream, bytes: &[u8], received: &mut Vec<u8>) {
    let (mut reader, mut writer) = client.into_split();
    let sending = async move {
        // The server may hang up before all is written.
        let _ = writer.write_all(bytes).await;
        for _ in 0..TURNS {
            yield_now().await;
        }
        drop(writer);
    };
    let reading = async {
        let _ = reader.read_to_end(received).await;
    };
    tokio::join!(sending, reading);
}

/// The daemon's loop.
async fn serve_requests(inbox: &mut Inbox, reloads: &mut u32) {
    while let Some(request) = inbox.recv().await {
        match request {
            Request::Status(reply) => drop(reply.send(samples::status())),
            Request::Flows(query, reply) => {
                assert!((1..=crate::control::api::FlowQuery::MAX_LIMIT).contains(&query.limit));
                let flows = samples::flows();
                drop(reply.send(FlowsReply {
                    watched: true,
                    matching: flows.len() as u64,
                    privacy: None,
                    flows,
                }));
            }
            Request::Groups(query, reply) => {
                assert!((1..=crate::control::api::FlowQuery::MAX_LIMIT).contains(&query.limit));
                drop(reply.send(samples::groups()));
            }
            Request::Explain(query, reply) => {
                assert!(query.cookie().is_none_or(|cookie| cookie > 0 || query.flow.contains('0')));
                drop(reply.send(ExplainReply { policy: query.flow, flows: Vec::new() }));
            }
            Request::Follow(mut follower, reply) => {
                let _ = reply.send(());
                assert!(follower.offer(&bytes::Bytes::from_static(b"{\"seq\":1}\n")) || follower.is_gone());
            }
            Request::Reload(reply) => {
                *reloads += 1;
                drop(reply.send(samples::reload_refused()));
            }
            Request::Policy(reply) => drop(reply.send(samples::policy_text())),
            Request::Trial(order, reply) => {
                *reloads += 1;
                assert!(order.check().is_ok());
                drop(reply.send(samples::reload_refused()));
            }
            Request::Revert(reply) => {
                *reloads += 1;
                drop(reply.send(samples::reload_refused()));
            }
            Request::Record(recording, reply) => {
                *reloads += 1;
                let new = recording.findings.len() as u64;
                drop(reply.send(Ok(RecordReply { new, ..RecordReply::default() })));
            }
            Request::Evidence(_, reply) => {
                *reloads += 1;
                drop(reply.send(Err("none is kept".to_owned())));
            }
            Request::Doctor(reply) => drop(reply.send(samples::doctor())),
        }
    }
}

fn is_http(received: &[u8]) {
    // A client that asks whether it may send its body gets this first.
    let received = received.strip_prefix(b"HTTP/1.1 100 Continue\r\n\r\n").unwrap_or(received);
    if received.is_empty() {
        return;
    }
    let version =
        [&b"HTTP/1.1 "[..], b"HTTP/1.0 "].iter().find_map(|version| received.strip_prefix(*version));
    let code = version.and_then(|rest| rest.get(..3)).and_then(|code| str::from_utf8(code).ok());
    assert!(code.is_some_and(|code| CODES.contains(&code)), "{}", received.escape_ascii());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;
    use gdprport_core::hostile::seeds::seeds;

    /// Pieces that sometimes form a request.
    const PIECES: [&str; 32] = [
        "GET ",
        "POST ",
        "HEAD ",
        "DELETE ",
        "PRI * HTTP/2.0",
        "/",
        "/v1/status",
        "/v1/flows",
        "/v1/events",
        "/v1/doctor",
        "/metrics",
        "/v1/reload",
        "/v1/findings",
        "content-length: 35\r\n\r\n{\"judged\":{\"ids\":[]},\"findings\":[]}",
        "{\"judged\":{\"ids\":[\"unused-rule\"]},\"findings\":[{}]}",
        "?port=",
        "?limit=0&limit=1",
        "?limit=99999",
        "?violations=x",
        "%00%ff",
        "//../",
        " HTTP/1.1\r\n",
        " HTTP/1.0\r\n",
        " HTTP/9.9\r\n",
        "host: x\r\n",
        "connection: close\r\n",
        "content-length: 3\r\n",
        "content-length: 99999\r\n",
        "transfer-encoding: chunked\r\n",
        "expect: 100-continue\r\n",
        "\r\n",
        "3\r\nabc\r\n0\r\n\r\n",
    ];

    #[test]
    fn every_seed_of_requests_keeps_its_promises() {
        seeds("request", request);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_bytes_get_a_reply_or_a_refusal(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            request(&bytes);
        }

        #[test]
        fn any_arrangement_of_pieces_gets_a_reply_or_a_refusal(
            root in any::<bool>(),
            pieces in proptest::collection::vec(select(PIECES.to_vec()), 0..16),
        ) {
            request(&[&[u8::from(root)], pieces.concat().as_bytes()].concat());
        }
    }
}
