//! TCP to receivers: names are resolved each time, every step has a bound, and every error is a sentence that names the place.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use gdprport_core::delivery::Endpoint;
use rustix::net::sockopt;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, timeout_at};

/// Addresses of a name that are tried: one or two of each family is what names have.
const ADDRESSES_MAX: usize = 8;

/// How long a connection may be idle until the peer is asked whether it is still there, how often after that, and how many of
/// those may stay without an answer: firewalls forget connections silently.
const IDLE: Duration = Duration::from_secs(60);
const ASK_EVERY: Duration = Duration::from_secs(10);
const UNANSWERED: u32 = 3;

/// How long the peer's TCP may leave bytes without acknowledgement, in milliseconds (RFC 5482; the default would be a quarter
/// of an hour).
const UNACKNOWLEDGED_MS: u32 = 30_000;

/// What is said of a receiver whose host answers that nothing listens; the same for every kind of receiver.
pub(super) const REFUSES: &str = "refuses connections: nothing listens there";

/// Connects to the first of the host's addresses that answers.
///
/// # Errors
/// One sentence.
pub(crate) async fn connect(endpoint: &Endpoint, within: Duration) -> Result<TcpStream, String> {
    let deadline = Instant::now() + within;
    let addresses = resolve(endpoint, deadline).await?;
    let mut last = format!("the name {} has no address", endpoint.host.0);
    for (index, address) in addresses.iter().enumerate() {
        // One that swallows packets leaves time for the next.
        let left = deadline.saturating_duration_since(Instant::now());
        let share = left / u32::try_from(addresses.len() - index).unwrap_or(1);
        last = match timeout_at(Instant::now() + share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                keep_alive(&stream);
                return Ok(stream);
            }
            Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
                format!("{} {REFUSES}", shown(endpoint, *address))
            }
            Ok(Err(error)) => format!("cannot connect to {}: {error}", shown(endpoint, *address)),
            Err(_) => format!("no answer from {} within {} s", shown(endpoint, *address), within.as_secs()),
        };
    }
    Err(last)
}

async fn resolve(endpoint: &Endpoint, deadline: Instant) -> Result<Vec<SocketAddr>, String> {
    let name = &*endpoint.host.0;
    // The resolver's own thread may stay behind; it ends by the resolver's timeouts.
    match timeout_at(deadline, lookup_host((name, endpoint.port))).await {
        Ok(Ok(found)) => Ok(found.take(ADDRESSES_MAX).collect()),
        Ok(Err(error)) => Err(format!("cannot resolve the name {name}: {error}")),
        Err(_) => Err(format!("cannot resolve the name {name}: no answer in time")),
    }
}

/// The place, with the address where that is not what was written.
fn shown(endpoint: &Endpoint, address: SocketAddr) -> String {
    if *endpoint.host.0 == address.ip().to_string() {
        endpoint.to_string()
    } else {
        format!("{endpoint} ({})", address.ip())
    }
}

/// Without these a dead peer is noticed late; where the kernel refuses one of them, that is all that is lost.
fn keep_alive(stream: &TcpStream) {
    let _ = stream.set_nodelay(true);
    let _ = sockopt::set_socket_keepalive(stream, true);
    let _ = sockopt::set_tcp_keepidle(stream, IDLE);
    let _ = sockopt::set_tcp_keepintvl(stream, ASK_EVERY);
    let _ = sockopt::set_tcp_keepcnt(stream, UNANSWERED);
    let _ = sockopt::set_tcp_user_timeout(stream, UNACKNOWLEDGED_MS);
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn error_of(text: &str) -> String {
        let endpoint = Endpoint::parse(text, None).expect("an endpoint");
        connect(&endpoint, Duration::from_millis(400)).await.expect_err("nobody is there")
    }

    #[tokio::test]
    async fn each_way_to_find_nobody_has_its_sentence() {
        let free = gdprport_tests::ports::Port::free();
        assert_eq!(
            error_of(&format!("127.0.0.1:{free}")).await,
            format!("127.0.0.1:{free} refuses connections: nothing listens there")
        );
        let gone = error_of("no-such-host.invalid:514").await;
        assert!(gone.starts_with("cannot resolve the name no-such-host.invalid: "), "{gone}");
        let refused = error_of(&format!("localhost:{free}")).await;
        assert!(refused.starts_with(&format!("localhost:{free} (")), "{refused}");
        assert!(refused.ends_with(") refuses connections: nothing listens there"), "{refused}");
    }
}
