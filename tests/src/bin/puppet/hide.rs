//! Hiding: what a process can do so that those who list the host's sockets see less.

use std::fs::File;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};

use crate::state::{Puppet, Reply};

impl Puppet {
    /// Fills both ends of so many connections, and their listener, with MD5 keys for addresses that nobody has
    /// (`TCP_MD5SIG`, tcp(7)), as many as a socket takes; replies with how many that are.
    pub(crate) fn keys(&mut self, connections: u32) -> Reply {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let mut keys = fill(&listener)?;
        for _ in 0..connections {
            let client = TcpStream::connect(listener.local_addr()?)?;
            let (server, _) = listener.accept()?;
            keys = fill(&client)?.min(fill(&server)?).min(keys);
            self.crowd.extend([OwnedFd::from(client), OwnedFd::from(server)]);
        }
        self.crowd.push(listener.into());
        Ok(keys.to_string())
    }

    /// Makes a connection to this address within a network namespace (`/proc/PID/fd/N`) in which only one thread of this
    /// process is: it stays there. Replies with the client's address.
    pub(crate) fn pair_in_thread(&mut self, netns: &str, at: &str) -> Reply {
        let (netns, at) = (File::open(netns)?, at.to_owned());
        let (to, made) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let connect = || {
                // SAFETY: plain system call on an open descriptor; only this thread is moved.
                if unsafe { libc::setns(netns.as_raw_fd(), libc::CLONE_NEWNET) } != 0 {
                    return Err(io::Error::last_os_error());
                }
                let listener = TcpListener::bind(&at)?;
                let client = TcpStream::connect(&at)?;
                let (server, _) = listener.accept()?;
                Ok((client.local_addr()?, [OwnedFd::from(listener), client.into(), server.into()]))
            };
            let result = connect();
            drop(netns);
            let _ = to.send(result);
            loop {
                std::thread::park();
            }
        });
        let (address, held) = made.recv().map_err(io::Error::other)??;
        self.crowd.extend(held);
        Ok(address.to_string())
    }
}

/// Gives a socket as many keys as it takes.
fn fill(socket: &impl AsRawFd) -> io::Result<u32> {
    for number in 1_u32..9_000 {
        // `struct tcp_md5sig` (include/uapi/linux/tcp.h): a `sockaddr_storage`, flags, the key's length and the key.
        let mut key = [0_u8; 216];
        key[0..2].copy_from_slice(&(libc::AF_INET as u16).to_ne_bytes());
        key[4..8].copy_from_slice(&[11, 0, (number >> 8) as u8, number as u8]);
        key[130..132].copy_from_slice(&4_u16.to_ne_bytes());
        key[136..140].copy_from_slice(b"abcd");
        let length = key.len() as libc::socklen_t;
        // SAFETY: the kernel reads `key`, which lives until it returns, and no more than its length.
        let set = unsafe {
            let option = key.as_ptr().cast();
            libc::setsockopt(socket.as_raw_fd(), libc::IPPROTO_TCP, libc::TCP_MD5SIG, option, length)
        };
        if set != 0 {
            let error = io::Error::last_os_error();
            // Its option memory is full.
            return if error.raw_os_error() == Some(libc::ENOMEM) { Ok(number - 1) } else { Err(error) };
        }
    }
    Ok(9_000)
}
