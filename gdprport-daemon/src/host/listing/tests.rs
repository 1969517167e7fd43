//! Real sockets, in this namespace and in one of the test's own, and who holds them.

use std::net::TcpListener;
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
use std::process::{Child, Command, Stdio};

use rustix::fs::{Mode, OFlags};
use rustix::thread::{UnshareFlags, unshare_unsafe};

use super::*;
use crate::host::testing::{connection, cookie, eventually};

fn take(ports: &[u16]) -> Listing {
    let ports = ports.iter().copied().collect();
    Listing::take(Path::new("/proc"), &ports, &HashSet::new()).expect("/proc is mounted")
}

/// A process that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn existing_sockets_are_listed_with_owner_and_can_be_fetched() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    let port = listener.local_addr().expect("bound").port();
    let (client, server) = connection(&listener);
    let found = take(&[port]);
    assert_eq!(found.sockets.len(), 3);
    assert_eq!(found.namespaces.len(), 1);
    for (cookie, fd) in [
        (cookie(&listener), listener.as_raw_fd()),
        (cookie(&client), client.as_raw_fd()),
        (cookie(&server), server.as_raw_fd()),
    ] {
        let socket = found.sockets.iter().find(|socket| socket.cookie == cookie).expect("found");
        assert_eq!(socket.owner, Some(ProcessFd { tgid: std::process::id(), fd }));
        assert_eq!(socket.netns, found.namespaces[0].ns.inode());
        sockets::fetch(std::process::id(), fd, cookie).expect("it can be fetched");
    }
}

#[test]
fn the_oldest_of_several_holders_is_the_owner() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    let port = listener.local_addr().expect("bound").port();
    // The child gets the listener as its standard input.
    let duplicate = listener.try_clone().expect("duplicates");
    let stdin = Stdio::from(OwnedFd::from(duplicate));
    let child = Running(Command::new("/bin/sleep").arg("60").stdin(stdin).spawn().expect("starts"));
    assert_eq!(take(&[port]).sockets[0].owner.map(|owner| owner.tgid), Some(std::process::id()));
    drop(listener);
    let inherited = ProcessFd { tgid: child.0.id(), fd: 0 };
    assert!(eventually(|| take(&[port]).sockets[0].owner == Some(inherited)), "{:?}", take(&[port]));
}

#[test]
fn a_separate_namespace_is_listed_and_polled() {
    // The child holds the namespace and shows that it is ready by a line.
    let script = "echo ready; read line";
    let mut child = Command::new("unshare")
        .args(["--net", "sh", "-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map(Running)
        .expect("root may make a namespace");
    let mut line = String::new();
    let stdout = child.0.stdout.take().expect("piped");
    std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut line).expect("ready");
    let path = format!("/proc/{}/ns/net", child.0.id());
    let fd = rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).expect("opens");
    let ns = OpenNs::from_fd(fd).expect("it has an inode");
    // Made inside, held by this process outside. Loopback is down there, so that nothing can connect.
    let listen = || TcpListener::bind("127.0.0.1:0").expect("binds");
    let (first, second) = ns.run(|| (listen(), listen())).expect("root may enter");
    let port = |listener: &TcpListener| listener.local_addr().expect("bound").port();
    let found = take(&[port(&first), port(&second)]);
    let inside = found.sockets.iter().find(|socket| socket.cookie == cookie(&first)).expect("found");
    assert_eq!((inside.netns, inside.peer), (ns.inode(), None));
    assert_eq!(inside.owner, Some(ProcessFd { tgid: std::process::id(), fd: first.as_raw_fd() }));
    let listed = found.namespaces.iter().find(|found| found.ns.inode() == ns.inode()).expect("kept open");

    let (stays, goes) = (cookie(&first), cookie(&second));
    let known = |head: &sockets::Head| head.cookie == stays || head.cookie == goes;
    let left = || {
        let look = listed.ns.run(|| sockets::look(known, |_| false)).expect("root may enter");
        look.expect("the kernel lists").sockets
    };
    assert_eq!(left().len(), 2);
    drop(second);
    assert!(eventually(|| left().iter().map(|socket| socket.cookie).eq([stays])), "{:?}", left());
}

/// A thread may have descriptors of its own, and the first thread of a process may have ended.
#[test]
fn a_socket_that_only_one_thread_holds_has_its_owner() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    let port = listener.local_addr().expect("bound").port();
    let held = cookie(&listener);
    let fd = listener.into_raw_fd();
    let (to, ready) = std::sync::mpsc::channel();
    let (end, wait) = std::sync::mpsc::channel::<()>();
    let thread = std::thread::spawn(move || {
        // SAFETY: only this thread's table of descriptors becomes its own, with a copy of each, and ends with it.
        unsafe { unshare_unsafe(UnshareFlags::FILES) }.expect("anybody may");
        to.send(()).expect("it is awaited");
        let _ = wait.recv();
    });
    ready.recv().expect("it is sent");
    // SAFETY: the descriptor came from the listener above, and nothing else has it in this table.
    drop(unsafe { OwnedFd::from_raw_fd(fd) });
    let found = take(&[port]);
    drop(end);
    thread.join().expect("it ends");
    let socket = found.sockets.iter().find(|socket| socket.cookie == held).expect("the thread holds it");
    assert_eq!(socket.owner, Some(ProcessFd { tgid: std::process::id(), fd }));
}

#[test]
fn known_sockets_are_listed_without_their_owner() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    let port = listener.local_addr().expect("bound").port();
    let (client, _server) = connection(&listener);
    let known = HashSet::from([cookie(&listener), cookie(&client)]);
    let ports = [port].into_iter().collect();
    let found = Listing::take(Path::new("/proc"), &ports, &known).expect("/proc is mounted");
    let unknown: Vec<bool> = found.sockets.iter().map(|socket| !known.contains(&socket.cookie)).collect();
    assert_eq!(unknown.iter().filter(|unknown| **unknown).count(), 1);
    for (socket, unknown) in found.sockets.iter().zip(unknown) {
        assert_eq!((socket.owner.is_some(), socket.counts.is_some()), (unknown, unknown), "{socket:?}");
    }
}
