//! Ending connections in whatever network namespace they are, on a thread of its own.
//!
//! Belongs here: finding the namespace, and the queue. How one connection is ended is `sockets`'; which ones are is the
//! policy's.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

use super::netns::{self, current_cookie};
use super::sockets::{EndError, Ender, Target};

/// Connections that may wait to be ended; each takes about 80 bytes. What is beyond is refused.
const WAITING: usize = 65_536;

/// A connection that is to be ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) target: Target,
    /// The cookie of its network namespace; 0 where the kernel does not say (before Linux 5.14).
    pub(crate) netns_cookie: u64,
    /// Whose it is: its network namespace need not be looked for then. 0 if not known.
    pub(crate) pid: u32,
}

/// What became of it.
#[derive(Debug)]
pub enum Outcome {
    /// It was ended.
    Ended,
    /// It had ended before.
    Gone,
    /// It goes on, as far as is known.
    Failed(EndError),
}

/// By the cookie of the socket.
pub(crate) type Done = (u64, Outcome);

/// Ends connections, on a thread that ends with this value.
#[derive(Debug)]
pub(crate) struct Endings {
    to: Sender<Vec<Wanted>>,
    waiting: Arc<AtomicUsize>,
}

impl Endings {
    /// Starts the thread; what was done is handed to `deliver`, which returns false when nobody wants it any more.
    ///
    /// # Errors
    /// If there can be no thread.
    pub(crate) fn start(deliver: impl Fn(Vec<Done>) -> bool + Send + 'static) -> io::Result<Self> {
        let (to, inbox) = channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let left = Arc::clone(&waiting);
        let proc = PathBuf::from("/proc");
        // It keeps what entering other network namespaces takes, as who lists the sockets there does.
        let work = move || serve(&proc, &inbox, &left, &deliver);
        std::thread::Builder::new().name("endings".to_owned()).spawn(work)?;
        Ok(Self { to, waiting })
    }

    /// One that ends nothing: what is handed over comes out.
    #[cfg(test)]
    pub(crate) fn in_name_only() -> (Self, Receiver<Vec<Wanted>>) {
        let (to, inbox) = channel();
        (Self { to, waiting: Arc::default() }, inbox)
    }

    /// Hands connections over; gives them back if too many wait, or the thread has ended.
    ///
    /// # Errors
    /// Those that were handed over.
    pub(crate) fn end(&self, wanted: Vec<Wanted>) -> Result<(), Vec<Wanted>> {
        let count = wanted.len();
        if self.waiting.load(Ordering::Relaxed) + count > WAITING {
            return Err(wanted);
        }
        self.waiting.fetch_add(count, Ordering::Relaxed);
        self.to.send(wanted).map_err(|refused| refused.0)
    }
}

fn serve(
    proc: &Path,
    inbox: &Receiver<Vec<Wanted>>,
    waiting: &AtomicUsize,
    deliver: &impl Fn(Vec<Done>) -> bool,
) {
    while let Ok(wanted) = inbox.recv() {
        let done = end_all(proc, &wanted);
        waiting.fetch_sub(wanted.len(), Ordering::Relaxed);
        if !deliver(done) {
            return;
        }
    }
}

/// Ends them: those of this namespace first, without looking for others.
fn end_all(proc: &Path, wanted: &[Wanted]) -> Vec<Done> {
    in_all(proc, wanted, current_cookie())
}

/// The same. `own`: the cookie of this namespace; `None`: the kernel does not say it (before Linux 5.14), though its programs
/// know those of connections since 5.7. Nothing can be compared then.
fn in_all(proc: &Path, wanted: &[Wanted], own: Option<u64>) -> Vec<Done> {
    let comparable = |wanted: &Wanted| Wanted {
        netns_cookie: if own.is_some() { wanted.netns_cookie } else { 0 },
        ..*wanted
    };
    let wanted: Vec<Wanted> = wanted.iter().map(comparable).collect();
    let (here, mut elsewhere): (Vec<Wanted>, Vec<Wanted>) =
        wanted.iter().partition(|wanted| wanted.netns_cookie == 0 || Some(wanted.netns_cookie) == own);
    let mut done: HashMap<u64, Outcome> = end_here(&here).into_iter().collect();
    // Where the kernel does not say which namespace it is, it may be another one.
    let is_gone = |wanted: &&Wanted| matches!(done.get(&wanted.target.cookie), Some(Outcome::Gone));
    elsewhere.extend(here.iter().filter(|wanted| wanted.netns_cookie == 0).filter(is_gone));
    for (cookie, outcome) in beside(proc, &elsewhere) {
        done.insert(cookie, outcome);
    }
    elsewhere.retain(|wanted| {
        wanted.netns_cookie == 0 || !matches!(done.get(&wanted.target.cookie), Some(Outcome::Ended))
    });
    let mut whole = true;
    if !elsewhere.is_empty() {
        let work = || {
            let inside = current_cookie();
            if inside.is_some() && inside == own {
                return Vec::new();
            }
            let is_here = |wanted: &&Wanted| wanted.netns_cookie == 0 || Some(wanted.netns_cookie) == inside;
            end_here(&elsewhere.iter().filter(is_here).copied().collect::<Vec<_>>())
        };
        let visited = netns::visit(proc, work, |_, ended| {
            for (cookie, outcome) in ended {
                if !matches!(outcome, Outcome::Gone) {
                    done.insert(cookie, outcome);
                }
            }
        });
        whole = visited.is_ok_and(|not| not.errors.is_empty() && not.not_allowed == 0 && not.over_cap == 0);
    }
    let each = |wanted: &Wanted| {
        let cookie = wanted.target.cookie;
        let outcome = match done.remove(&cookie) {
            // It may be where nobody could look.
            Some(Outcome::Gone) | None if !whole => Outcome::Failed(EndError::NotLooked),
            Some(outcome) => outcome,
            // Its namespace has ended, and it with it.
            None => Outcome::Gone,
        };
        (cookie, outcome)
    };
    wanted.iter().map(each).collect()
}

/// Processes by which a namespace is entered, before it is looked for.
const TRIED: usize = 3;

/// Ends those that are in the network namespace of their process: looking through all that a host has takes long.
fn beside(proc: &Path, wanted: &[Wanted]) -> Vec<Done> {
    let mut by_namespace: BTreeMap<u64, Vec<Wanted>> = BTreeMap::new();
    for one in wanted.iter().filter(|wanted| wanted.netns_cookie != 0) {
        by_namespace.entry(one.netns_cookie).or_default().push(*one);
    }
    let mut done = Vec::new();
    for (cookie, wanted) in by_namespace {
        let pids: BTreeSet<u32> = wanted.iter().map(|wanted| wanted.pid).filter(|pid| *pid != 0).collect();
        // A process may have left it, or be another one by now.
        let ends = || (current_cookie() == Some(cookie)).then(|| end_here(&wanted));
        let tried = pids.into_iter().take(TRIED);
        let entered = tried.filter_map(|pid| netns::of_process(proc, pid)?.run(ends).ok()?);
        done.extend(entered.take(1).flatten());
    }
    done
}

/// Ends them in the caller's network namespace.
fn end_here(wanted: &[Wanted]) -> Vec<Done> {
    if wanted.is_empty() {
        return Vec::new();
    }
    let ender = Ender::open();
    let each = |wanted: &Wanted| {
        let ended = match &ender {
            Ok(ender) => ender.end(&wanted.target),
            Err(error) => Err(EndError::Closed(error.to_string())),
        };
        let outcome = match ended {
            Ok(true) => Outcome::Ended,
            Ok(false) => Outcome::Gone,
            Err(error) => Outcome::Failed(error),
        };
        (wanted.target.cookie, outcome)
    };
    wanted.iter().map(each).collect()
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::net::{TcpListener, TcpStream};

    use gdprport_core::model::Endpoint;

    use super::*;
    use crate::host::testing::{connection, cookie};

    fn wanted(stream: &TcpStream, netns_cookie: u64) -> Wanted {
        let plain = |address: std::net::SocketAddr| Endpoint::new(address.ip(), address.port());
        let target = Target {
            cookie: cookie(stream),
            local: plain(stream.local_addr().expect("connected")),
            peer: plain(stream.peer_addr().expect("connected")),
        };
        Wanted { target, netns_cookie, pid: 0 }
    }

    fn outcomes(wanted: &[Wanted]) -> Vec<Outcome> {
        end_all(Path::new("/proc"), wanted).into_iter().map(|(_, outcome)| outcome).collect()
    }

    /// Does this on a thread in a network namespace of its own, which ends with what it returns.
    fn elsewhere(check: impl FnOnce(TcpStream, TcpStream, u64)) {
        let (to, made) = std::sync::mpsc::channel();
        let (end, wait) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            // SAFETY: only this thread's network namespace changes, and the thread ends here.
            unsafe { rustix::thread::unshare_unsafe(rustix::thread::UnshareFlags::NEWNET) }
                .expect("root may");
            let up = std::process::Command::new("ip").args(["link", "set", "lo", "up"]).status();
            assert!(up.expect("ip can be run").success());
            let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
            let (client, server) = connection(&listener);
            to.send((client, server, current_cookie().unwrap_or(0))).expect("it is awaited");
            let _ = wait.recv();
        });
        let (client, server, inside) = made.recv().expect("it is sent");
        check(client, server, inside);
        drop(end);
        thread.join().expect("it ends");
    }

    fn is_reset(mut stream: TcpStream) {
        assert_eq!(stream.read(&mut [0]).expect_err("a reset").kind(), io::ErrorKind::ConnectionReset);
    }

    #[test]
    fn connections_are_ended_in_whatever_namespace_they_are() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
        let (client, server) = connection(&listener);
        elsewhere(|there, its_server, inside| {
            let all = [wanted(&client, current_cookie().unwrap_or(0)), wanted(&there, inside)];
            assert!(matches!(outcomes(&all)[..], [Outcome::Ended, Outcome::Ended]));
            is_reset(server);
            is_reset(its_server);
            assert!(matches!(outcomes(&all)[..], [Outcome::Gone, _]), "once is enough");
        });
    }

    #[test]
    fn where_the_kernel_names_no_namespace_all_are_looked_through() {
        elsewhere(|there, its_server, _| {
            assert!(matches!(outcomes(&[wanted(&there, 0)])[..], [Outcome::Ended]));
            is_reset(its_server);
        });
    }

    #[test]
    fn cookies_that_cannot_be_compared_hide_nothing() {
        elsewhere(|there, its_server, inside| {
            let done = in_all(Path::new("/proc"), &[wanted(&there, inside.max(1))], None);
            assert!(matches!(done[..], [(_, Outcome::Ended)]), "{done:?}");
            is_reset(its_server);
        });
    }

    #[test]
    fn what_is_asked_for_is_done_and_more_is_given_back() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
        let (client, server) = connection(&listener);
        let (to, done) = std::sync::mpsc::channel();
        let endings = Endings::start(move |ended| to.send(ended).is_ok()).expect("a thread");
        let one = wanted(&client, 0);
        assert_eq!(endings.end(vec![one; WAITING + 1]).expect_err("too many").len(), WAITING + 1);
        endings.end(vec![one]).expect("room");
        let ended = done.recv().expect("it is done");
        assert!(matches!(ended[..], [(cookie, Outcome::Ended)] if cookie == one.target.cookie));
        is_reset(server);
    }
}
