//! A receiver that repeats what it hears in its refusal: the worst that one can do with a secret.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long it listens until it answers.
const LISTENS: Duration = Duration::from_millis(200);

/// What it speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tongue {
    /// HTTP: 401.
    Http,
    /// NATS: `-ERR`.
    Nats,
    /// Nothing that anybody knows.
    Bytes,
}

/// A refusing receiver on a port of its own; it listens until the test's process ends.
#[derive(Debug)]
pub struct Echo {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<u8>>>,
}

impl Echo {
    /// Starts one.
    ///
    /// # Panics
    /// When it cannot listen.
    #[must_use]
    pub fn start(tongue: Tongue) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let echo = Self { address: listener.local_addr().expect("it is bound"), seen: Arc::default() };
        let seen = Arc::clone(&echo.seen);
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let seen = Arc::clone(&seen);
                std::thread::spawn(move || serve(connection, tongue, &seen));
            }
        });
        echo
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// All that it heard.
    #[must_use]
    pub fn seen(&self) -> String {
        String::from_utf8_lossy(&self.seen.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

fn serve(mut connection: TcpStream, tongue: Tongue, seen: &Mutex<Vec<u8>>) {
    let _ = connection.set_read_timeout(Some(LISTENS));
    if tongue == Tongue::Nats {
        let info = br#"INFO {"server_id":"e","server_name":"e","version":"2.10.0","proto":1,"host":"127.0.0.1","port":4222,"headers":true,"max_payload":1048576,"auth_required":true,"nonce":"bm9uY2U"}"#;
        let _ = connection.write_all(&[info.as_slice(), b"\r\n"].concat());
    }
    let (mut heard, mut piece) = (Vec::new(), [0; 4096]);
    while let Ok(count @ 1..) = connection.read(&mut piece) {
        heard.extend_from_slice(&piece[..count]);
    }
    seen.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&heard);
    let head = heard.split(|byte| *byte == b'\n').take(12).collect::<Vec<_>>().join(&b' ');
    let answer = match tongue {
        Tongue::Http => {
            let status = format!("HTTP/1.1 401 Unauthorized\r\ncontent-length: {}\r\n\r\n", head.len());
            [status.as_bytes(), &head].concat()
        }
        Tongue::Nats => {
            let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
            [b"-ERR 'who is ", line, b"'\r\n"].concat()
        }
        Tongue::Bytes => heard,
    };
    let _ = connection.write_all(&answer);
}
