//! The shortest-lived client there is: connects to its one argument, prints who it was
//! (`PID PORT`, one write), and exits without closing anything itself.

use std::io::{self, Write as _};
use std::net::TcpStream;

fn main() -> io::Result<()> {
    let to = std::env::args_os().nth(1).and_then(|word| word.into_string().ok());
    let to = to.ok_or_else(|| io::Error::other("usage: client-once ADDRESS:PORT"))?;
    let stream = TcpStream::connect(to)?;
    let line = format!("{} {}\n", std::process::id(), stream.local_addr()?.port());
    io::stdout().write_all(line.as_bytes())
}
