//! Receivers that end themselves.

use std::time::Duration;

use super::sink;
use crate::deliver::Transport as _;
use crate::deliver::trial::messages;

/// It reads a batch, ends the connection in order, and its listener with it: what it has read may never be written.
#[tokio::test]
async fn a_receiver_that_ends_itself_has_not_confirmed() {
    for lives_on in [Duration::ZERO, Duration::from_millis(10)] {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("it has one").port();
        let receiver = std::thread::spawn(move || {
            let (mut connection, _) = listener.accept().expect("a connection");
            std::io::copy(&mut connection, &mut std::io::sink()).expect("a batch");
            if lives_on.is_zero() {
                drop(listener);
                drop(connection);
            } else {
                drop(connection);
                // The next connection waits to be accepted meanwhile.
                std::thread::sleep(lives_on);
                drop(listener);
            }
        });
        let mut sink = sink(&format!("address = \"tcp://127.0.0.1:{port}\"\nconfirm = \"close\""));
        let outcome = sink.send(&messages(3)).await;
        receiver.join().expect("it has ended");
        assert_eq!(outcome.done, 0, "{outcome:?}");
        let why = outcome.failure.expect("a failure").why;
        assert!(why.contains("seems to end itself"), "{why}");
    }
}
