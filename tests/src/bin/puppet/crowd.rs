//! Many connections and many processes.

use std::fmt::Write as _;
use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::os::fd::OwnedFd;

use rustix::net::SocketFlags;

use crate::socket;
use crate::state::{Puppet, Reply};

/// Forked clients that may be alive at the same time.
const ALIVE: usize = 16;

impl Puppet {
    /// Lets a thread accept from a duplicate of the listener: each connection is read to its end and closed.
    pub(crate) fn serve(&mut self) -> Reply {
        let listener = self.listener()?.try_clone()?;
        let served = self.served.clone();
        std::thread::spawn(move || {
            while let Ok((socket, _)) = rustix::net::acceptfrom_with(&listener, SocketFlags::CLOEXEC) {
                // A client that resets is served as well.
                let _ = io::copy(&mut TcpStream::from(socket), &mut io::sink());
                served.add_one();
            }
        });
        Ok(String::new())
    }

    /// Makes `n` connections and holds them.
    pub(crate) fn connect_many(&mut self, to: &str, n: u32) -> Reply {
        let to = socket::parse(to)?;
        for _ in 0..n {
            self.crowd.push(TcpStream::connect(to)?.into());
        }
        Ok(n.to_string())
    }

    /// Accepts `n` connections and holds them.
    pub(crate) fn accept_many(&mut self, n: u32) -> Reply {
        for _ in 0..n {
            let (socket, _) = rustix::net::acceptfrom_with(self.listener()?, SocketFlags::CLOEXEC)?;
            self.crowd.push(socket);
        }
        Ok(n.to_string())
    }

    /// Sends one line of this size, which begins with this word, on every connection it holds.
    pub(crate) fn send_line_many(&self, word: &str, bytes: usize) -> Reply {
        let line = format!("{word} {:x<fill$}\r\n", "", fill = bytes.saturating_sub(word.len() + 3));
        for socket in &self.crowd {
            let mut rest = line.as_bytes();
            while !rest.is_empty() {
                rest = &rest[rustix::io::write(socket, rest)?..];
            }
        }
        Ok(self.crowd.len().to_string())
    }
}

/// Makes `total` connections, `ways` at a time, sends so many bytes on each, and waits until both ends have closed it before
/// its thread makes the next one.
pub(crate) fn burst(to: &str, total: u64, ways: u64, bytes: usize) -> Reply {
    let to = socket::parse(to)?;
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..ways)
            .map(|way| {
                let share = total / ways + u64::from(way < total % ways);
                scope.spawn(move || -> io::Result<()> {
                    for _ in 0..share {
                        let mut stream = TcpStream::connect(to)?;
                        stream.write_all(&vec![b'x'; bytes])?;
                        stream.shutdown(Shutdown::Write)?;
                        stream.read_to_end(&mut Vec::new())?;
                    }
                    Ok(())
                })
            })
            .collect();
        for thread in threads {
            thread.join().map_err(|_| io::Error::other("a client panicked"))??;
        }
        Ok(total.to_string())
    })
}

/// Forks `n` children that each connect, report who they are and exit, without an exec.
/// Replies with `PID:PORT` of each.
pub(crate) fn fork_storm(to: &str, n: usize) -> Reply {
    let to = socket::parse(to)?;
    let (from, into) = io::pipe()?;
    let mut alive = 0;
    let mut reply = String::new();
    // All lines together fit the pipe's 64 KiB, so that no writer waits for a reader.
    for _ in 0..n.min(2000) {
        if alive == ALIVE {
            reap()?;
            alive -= 1;
        }
        if fork()? == 0 {
            exit_child(&storm_child(to, &into));
        }
        alive += 1;
    }
    for _ in 0..alive {
        reap()?;
    }
    drop(into);
    let mut lines = String::new();
    { from }.read_to_string(&mut lines)?;
    for word in lines.split_whitespace() {
        let _ = write!(reply, "{word} ");
    }
    Ok(reply)
}

fn storm_child(to: std::net::SocketAddr, mut into: &io::PipeWriter) -> io::Result<()> {
    let stream = TcpStream::connect(to)?;
    let line = format!("{}:{}\n", std::process::id(), stream.local_addr()?.port());
    // One write of less than PIPE_BUF bytes is never torn.
    into.write_all(line.as_bytes())
}

/// What a worker does that is not usual.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Worker {
    /// Nothing.
    Usual,
    /// It asks for no address.
    Blind,
    /// It calls `listen` itself.
    Listening,
}

/// Forks `n` workers that accept from the listener, send each client their pid (`PID\n`) and wait for its end.
/// Replies with the workers' pids. The workers die with the master.
pub(crate) fn prefork(listener: &OwnedFd, n: usize, how: Worker) -> Reply {
    let mut reply = String::new();
    for _ in 0..n {
        match fork()? {
            0 => exit_child(&worker(listener, how)),
            pid => {
                let _ = write!(reply, "{pid} ");
            }
        }
    }
    Ok(reply)
}

fn worker(listener: &OwnedFd, how: Worker) -> io::Result<()> {
    // SAFETY: plain system call.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as libc::c_ulong) };
    if how == Worker::Listening {
        rustix::net::listen(listener, 64)?;
    }
    loop {
        let socket = if how == Worker::Blind {
            rustix::net::accept_with(listener, SocketFlags::CLOEXEC)?
        } else {
            rustix::net::acceptfrom_with(listener, SocketFlags::CLOEXEC)?.0
        };
        let mut stream = TcpStream::from(socket);
        stream.write_all(format!("{}\n", std::process::id()).as_bytes())?;
        io::copy(&mut stream, &mut io::sink())?;
    }
}

/// Forks; the child gets 0.
fn fork() -> io::Result<libc::pid_t> {
    // SAFETY: commands that fork are sent to puppets that serve with no thread, so no other thread holds a lock.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        pid => Ok(pid),
    }
}

fn exit_child(result: &io::Result<()>) -> ! {
    // SAFETY: ends the child without running the parent's exit handlers.
    unsafe { libc::_exit(i32::from(result.is_err())) }
}

fn reap() -> io::Result<()> {
    let mut status = 0;
    // SAFETY: waits for any child of ours; the pointer is to a live int.
    if unsafe { libc::waitpid(-1, &mut status, 0) } < 0 {
        return Err(io::Error::last_os_error());
    }
    if status == 0 { Ok(()) } else { Err(io::Error::other("a child could not connect")) }
}
