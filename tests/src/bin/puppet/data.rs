//! Moving bytes over a stream, by every call that Linux offers, and counting them.

use std::fs::File;
use std::io::{self, Read as _};
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use rustix::fs::MemfdFlags;

use crate::state::Reply;

const CHUNK: usize = 64 * 1024;

/// Writes exactly `n` bytes.
pub(crate) fn send(mut stream: &TcpStream, n: u64) -> Reply {
    io::copy(&mut io::repeat(b'x').take(n), &mut Plain(&mut stream)).map(|sent| sent.to_string())
}

/// Hides that the target is a socket, so that `io::copy` writes instead of choosing a call of its own.
struct Plain<'a, W>(&'a mut W);

impl<W: io::Write> io::Write for Plain<'_, W> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// A file in memory of `n` bytes.
fn file_of(n: u64) -> io::Result<File> {
    let file = File::from(rustix::fs::memfd_create("bytes", MemfdFlags::CLOEXEC)?);
    file.set_len(n)?;
    Ok(file)
}

/// Sends exactly `n` bytes of a file by `sendfile`.
pub(crate) fn sendfile(stream: &TcpStream, n: u64) -> Reply {
    let file = file_of(n)?;
    let mut left = n;
    while left > 0 {
        let asked = usize::try_from(left).map_err(io::Error::other)?;
        match rustix::fs::sendfile(stream, &file, None, asked)? as u64 {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            sent => left -= sent,
        }
    }
    Ok(n.to_string())
}

/// Sends exactly `n` bytes by `splice`, from a file through a pipe.
pub(crate) fn splice_out(stream: &TcpStream, n: u64) -> Reply {
    let file = file_of(n)?;
    let (from, into) = io::pipe()?;
    let mut left = n;
    while left > 0 {
        let asked = CHUNK.min(usize::try_from(left).map_err(io::Error::other)?);
        let mut held = splice(&file, &into, asked)?;
        left -= held as u64;
        while held > 0 {
            held -= splice(&from, stream, held)?;
        }
    }
    Ok(n.to_string())
}

/// Receives exactly `n` bytes.
pub(crate) fn receive(mut stream: &TcpStream, n: u64) -> Reply {
    let mut left = n;
    let mut buffer = vec![0; CHUNK];
    while left > 0 {
        let room = CHUNK.min(usize::try_from(left).map_err(io::Error::other)?);
        match stream.read(&mut buffer[..room])? as u64 {
            0 => return Err(io::Error::other(format!("the stream ended {left} bytes too early"))),
            got => left -= got,
        }
    }
    Ok(n.to_string())
}

/// Receives exactly `n` bytes by `splice`, through a pipe into nothing.
pub(crate) fn splice_in(stream: &TcpStream, n: u64) -> Reply {
    let nowhere = File::options().write(true).open("/dev/null")?;
    let (from, into) = io::pipe()?;
    let mut left = n;
    while left > 0 {
        let asked = CHUNK.min(usize::try_from(left).map_err(io::Error::other)?);
        let mut held = splice(stream, &into, asked)?;
        if held == 0 {
            return Err(io::Error::other(format!("the stream ended {left} bytes too early")));
        }
        left -= held as u64;
        while held > 0 {
            held -= splice(&from, &nowhere, held)?;
        }
    }
    Ok(n.to_string())
}

/// Receives until the peer ends its direction: replies `N eof`, or `N reset` when a reset ended it.
pub(crate) fn receive_to_end(mut stream: &TcpStream) -> Reply {
    let mut total = 0_u64;
    let mut buffer = vec![0; CHUNK];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return Ok(format!("{total} eof")),
            Ok(got) => total += got as u64,
            Err(e) if e.kind() == io::ErrorKind::ConnectionReset => return Ok(format!("{total} reset")),
            Err(e) => return Err(e),
        }
    }
}

/// Receives one line of at most 256 bytes and replies with it.
pub(crate) fn receive_line(mut stream: &TcpStream) -> Reply {
    let mut line = Vec::new();
    let mut byte = [0];
    while line.len() < 256 && stream.read(&mut byte)? == 1 && byte != [b'\n'] {
        line.push(byte[0]);
    }
    String::from_utf8(line).map_err(io::Error::other)
}

/// Sends and receives exact amounts at the same time.
pub(crate) fn duplex(stream: &TcpStream, out: u64, into: u64) -> Reply {
    std::thread::scope(|scope| {
        let sender = scope.spawn(|| send(stream, out));
        let received = receive(stream, into)?;
        let sent = sender.join().map_err(|_| io::Error::other("the sender panicked"))??;
        Ok(format!("{sent} {received}"))
    })
}

/// Waits until the peer's kernel has acknowledged everything that was sent.
pub(crate) fn drain(stream: &TcpStream) -> Reply {
    let start = Instant::now();
    loop {
        let mut pending: libc::c_int = 0;
        // SAFETY: `SIOCOUTQ` (tcp(7); the same number as TIOCOUTQ) writes one int to the pointer.
        let done = unsafe { libc::ioctl(stream.as_raw_fd(), libc::TIOCOUTQ, &mut pending) };
        if done < 0 {
            return Err(io::Error::last_os_error());
        }
        if pending == 0 {
            return Ok(String::new());
        }
        if start.elapsed() > Duration::from_secs(30) {
            return Err(io::Error::other(format!("{pending} bytes were never acknowledged")));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// One `splice` of at most `asked` bytes; 0 at the end of `from`.
fn splice(from: &impl AsRawFd, into: &impl AsRawFd, asked: usize) -> io::Result<usize> {
    let none = std::ptr::null_mut();
    // SAFETY: both descriptors are open as their owners are borrowed; no offsets are passed.
    let moved = unsafe { libc::splice(from.as_raw_fd(), none, into.as_raw_fd(), none, asked, 0) };
    usize::try_from(moved).map_err(|_| io::Error::last_os_error())
}
