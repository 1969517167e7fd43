//! What must hold for any reply on the socket, as assertions over any bytes: used by the fuzzer (`fuzz/`) and by the
//! property tests below. Compiled for those two only.

use std::ffi::OsString;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::{Builder, Runtime};

use super::{ClientError, ControlClient};
use crate::control::api::FlowQuery;

/// What one thread needs, made once.
struct Stage {
    runtime: Runtime,
    listener: tokio::net::UnixListener,
    client: ControlClient,
}

impl Stage {
    fn new() -> Self {
        static STAGES: AtomicU64 = AtomicU64::new(0);
        // A name that is no file, so that nothing is left behind (unix(7), abstract).
        let number = STAGES.fetch_add(1, Ordering::Relaxed);
        let name = format!("gdprport-hostile.{}.{number}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).expect("a short name");
        let listener = UnixListener::bind_addr(&address).expect("a name of one's own");
        listener.set_nonblocking(true).expect("a socket can be so");
        let runtime =
            Builder::new_current_thread().enable_all().build().expect("a runtime needs few descriptors");
        let entered = runtime.enter();
        let listener = tokio::net::UnixListener::from_std(listener).expect("the runtime takes it");
        drop(entered);
        let path = OsString::from_vec([&[0], name.as_bytes()].concat());
        Self { runtime, listener, client: ControlClient::new(Path::new(&path)) }
    }
}

thread_local! {
    static STAGE: Stage = Stage::new();
}

/// Any bytes as the reply to any request are a reply or an error in one sentence. The first byte chooses the request
/// (its low half) and whether the rest is all that is sent, or the body of a well-formed reply (its highest bit).
pub fn reply(bytes: &[u8]) {
    let (how, bytes) = bytes.split_first().map_or((0, bytes), |(how, rest)| (*how, rest));
    let mut sent = Vec::new();
    if how & 0x80 != 0 {
        let code = if how & 0x40 != 0 { "403 Forbidden" } else { "200 OK" };
        sent = format!("HTTP/1.1 {code}\r\ncontent-length: {}\r\n\r\n", bytes.len()).into_bytes();
    }
    sent.extend(bytes);
    STAGE.with(|Stage { runtime, listener, client }| {
        runtime.block_on(async {
            let serving = async {
                let (mut stream, _) = listener.accept().await.expect("the client connects");
                // What arrives before the request is not read; a request is one small packet.
                let _ = stream.read(&mut [0; 1024]).await;
                // It may hang up before all is written.
                let _ = stream.write_all(&sent).await;
                let _ = stream.shutdown().await;
                stream
            };
            let (result, _stream) = tokio::join!(request(client, how & 0x0F), serving);
            if let Err(error) = result {
                assert!(!matches!(error, ClientError::NoDaemon(_) | ClientError::Denied { .. }), "{error}");
                assert!(!error.to_string().is_empty() || matches!(error, ClientError::Refused(_)));
            }
        });
    });
}

async fn request(client: &ControlClient, what: u8) -> Result<(), ClientError> {
    match what % 5 {
        0 => client.status().await.map(drop),
        1 => client
            .flows(&FlowQuery { port: Some("a b&c=d#\u{e9}".to_owned()), ..FlowQuery::default() })
            .await
            .map(drop),
        2 => client.doctor().await.map(drop),
        3 => client.reload().await.map(drop),
        _ => {
            let mut lines = client.events().await?;
            while let Some(line) = lines.next().await? {
                assert!(!line.contains('\n'), "{line:?}");
            }
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;
    use gdprport_core::hostile::seeds::seeds;

    /// Pieces that sometimes form a reply.
    const PIECES: [&str; 18] = [
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 422 \r\n",
        "HTTP/1.1 503 No\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 204 None\r\n",
        "HTTP/0.9",
        "content-length: 2\r\n",
        "content-length: 99\r\n",
        "content-length: 99999999999999999999\r\n",
        "transfer-encoding: chunked\r\n",
        "\r\n",
        "2\r\n{}\r\n0\r\n\r\n",
        "ffffffffffffffff\r\n",
        "{}",
        "{\"error\":\"no\"}",
        "null\n",
        "\n\n",
        "\u{e9}",
    ];

    #[test]
    fn every_seed_of_replies_keeps_its_promises() {
        seeds("answer", reply);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_bytes_are_a_reply_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            reply(&bytes);
        }

        #[test]
        fn any_arrangement_of_pieces_is_a_reply_or_an_error(
            how in any::<u8>(),
            pieces in proptest::collection::vec(select(PIECES.to_vec()), 0..12),
        ) {
            reply(&[&[how], pieces.concat().as_bytes()].concat());
        }
    }
}
