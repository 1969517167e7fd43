//! Processes that live for one connection.

use std::io;
use std::net::Ipv4Addr;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use super::{crowd::accept_until, listen, next_address};

/// Starts `client ADDRESS:PORT` `count` times, one after the other; returns what each printed,
/// `PID PORT`, and the pid of the server.
pub(crate) fn processes(port: u16, count: u32, client: &str) -> io::Result<Value> {
    let listener = listen(Ipv4Addr::UNSPECIFIED, port)?;
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| accept_until(&listener, &over));
        let printed: io::Result<Vec<String>> = (0..count)
            .map(|_| {
                let output = Command::new(client)
                    .arg(next_address(port).to_string())
                    .stderr(Stdio::inherit())
                    .output()?;
                if !output.status.success() {
                    return Err(io::Error::other(format!("{client} failed: {}", output.status)));
                }
                Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
            })
            .collect();
        over.store(true, Ordering::Relaxed);
        Ok(json!({ "clients": printed?, "server": std::process::id() }))
    })
}
