//! The kernel's connection tracking (ctnetlink): asking how connections are translated, on a thread of its own.
//!
//! Belongs here: whether it can be asked, and the asking. What is asked and what an answer says is decided in `core`.
//!
//! Addresses are translated in the host's network namespace, also those of sockets in containers: their packets pass it.
//! So the daemon asks there and nowhere else, with one socket. A question costs the kernel one look-up in a hash table.
//! The kernel replies within the call that sends the questions; replies are read one by one.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

use gdprport_core::conntrack::{self, Answer, Question};
use gdprport_core::model::Nat;
use netlink_sys::{Socket, SocketAddr};
use thiserror::Error;

use crate::host::confine::{self, Role};

/// How many entries there are. It is there once connection tracking is loaded, which asking must not bring about.
const COUNT: &str = "/proc/sys/net/netfilter/nf_conntrack_count";

/// `NETLINK_NETFILTER` (include/uapi/linux/netlink.h).
const NETLINK_NETFILTER: isize = 12;

/// `PROC_PID_INIT_INO` (include/linux/proc_ns.h): the inode number of the initial pid namespace.
const INITIAL_PID: &str = "pid:[4026531836]";

/// Questions sent at once. Each reply takes some 5 KiB of the socket's receive buffer, which has 208 KiB by default.
const AT_ONCE: usize = 32;

/// Questions that may wait; each takes about 70 bytes. What is beyond is not asked.
const WAITING: usize = 131_072;

/// A reply has some 200 bytes; counters and labels make it longer.
const REPLY: usize = 4 * 1024;

/// Why connection tracking is not asked.
#[derive(Debug, Error)]
pub(crate) enum Unavailable {
    /// There is none, so that nothing is translated by it.
    #[error("the kernel does not track connections (no {COUNT})")]
    NotLoaded,
    /// What the daemon would be told is not what happens on the host.
    #[error(
        "gdprport does not run in the host's network namespace, so that it cannot see how the host translates addresses"
    )]
    OtherNamespace,
    /// The kernel refuses it, or does not offer it.
    #[error("connection tracking cannot be asked (CAP_NET_ADMIN, module nf_conntrack_netlink): {0}")]
    Refused(#[from] io::Error),
}

/// How a socket's connection is translated: its cookie, and `None` if it is not.
pub(crate) type Answered = (u64, Option<Nat>);

/// Asks, on a thread that ends with this value.
#[derive(Debug)]
pub(crate) struct Conntrack {
    to: Sender<Vec<Question>>,
    waiting: Arc<AtomicUsize>,
}

impl Conntrack {
    /// Starts asking; what is answered is handed to `deliver`, which returns false when nobody wants it any more.
    ///
    /// # Errors
    /// [`Unavailable`].
    pub(crate) fn start(
        deliver: impl Fn(Vec<Answered>) -> bool + Send + 'static,
    ) -> Result<Self, Unavailable> {
        let asker = Asker::open()?;
        let (to, inbox) = channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let left = Arc::clone(&waiting);
        std::thread::Builder::new().name("conntrack".to_owned()).spawn(move || {
            confine::enter(Role::Asker);
            asker.serve(&inbox, &left, &deliver);
        })?;
        Ok(Self { to, waiting })
    }

    /// Hands questions over; gives them back if too many wait, or the thread has ended.
    pub(crate) fn ask(&self, questions: Vec<Question>) -> Result<(), Vec<Question>> {
        let count = questions.len();
        if self.waiting.load(Ordering::Relaxed) + count > WAITING {
            return Err(questions);
        }
        self.waiting.fetch_add(count, Ordering::Relaxed);
        self.to.send(questions).map_err(|refused| refused.0)
    }
}

/// Whether connection tracking can be asked.
///
/// # Errors
/// Why not.
pub(crate) fn check() -> Result<(), Unavailable> {
    Asker::open().map(drop)
}

/// The socket, and where it shows whether there is anything to ask about.
struct Asker {
    socket: Socket,
    count: File,
    /// Numbers questions, so that a reply that came too late is recognised.
    next: u32,
    buffer: Vec<u8>,
}

impl Asker {
    fn open() -> Result<Self, Unavailable> {
        let count = File::open(COUNT).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Unavailable::NotLoaded,
            _ => Unavailable::Refused(error),
        })?;
        if !is_hosts_namespace(Path::new("/proc")) {
            return Err(Unavailable::OtherNamespace);
        }
        let mut socket = Socket::new(NETLINK_NETFILTER)?;
        socket.bind_auto()?;
        // From now on nobody but the kernel can send to it.
        socket.connect(&SocketAddr::new(0, 0))?;
        socket.send(&conntrack::ask_for_statistics(), 0)?;
        let mut asker = Self { socket, count, next: 1, buffer: vec![0; REPLY] };
        match asker.receive()? {
            Some((0, Answer::Refused(error))) => Err(io::Error::from_raw_os_error(error).into()),
            _ => Ok(asker),
        }
    }

    fn serve(
        mut self,
        inbox: &Receiver<Vec<Question>>,
        waiting: &AtomicUsize,
        deliver: &impl Fn(Vec<Answered>) -> bool,
    ) {
        while let Ok(questions) = inbox.recv() {
            let answers = if self.tracks_nothing() {
                questions.iter().map(|question| (question.cookie, None)).collect()
            } else {
                let mut answers = Vec::with_capacity(questions.len());
                questions.chunks(AT_ONCE).for_each(|some| self.answer(some, &mut answers));
                answers
            };
            waiting.fetch_sub(questions.len(), Ordering::Relaxed);
            if !deliver(answers) {
                return;
            }
        }
    }

    /// Where nothing is tracked, nothing is translated.
    fn tracks_nothing(&self) -> bool {
        let mut text = [0; 4];
        matches!(self.count.read_at(&mut text, 0), Ok(length) if text[..length] == *b"0\n")
    }

    /// Asks some questions, and adds the answer to each.
    fn answer(&mut self, questions: &[Question], answers: &mut Vec<Answered>) {
        let first = self.next;
        let mut message = Vec::with_capacity(questions.len() * 104);
        for question in questions {
            conntrack::ask(question, self.next, &mut message);
            // 0 is the number of the first question of all.
            self.next = self.next.checked_add(1).unwrap_or(1);
        }
        let mut known = vec![Some(Nat::Unknown); questions.len()];
        if let Err(error) =
            self.socket.send(&message, 0).and_then(|_| self.receive_all(first, questions, &mut known))
        {
            tracing::debug!(%error, "connection tracking did not answer");
        }
        answers.extend(questions.iter().map(|question| question.cookie).zip(known));
    }

    fn receive_all(
        &mut self,
        first: u32,
        questions: &[Question],
        known: &mut [Option<Nat>],
    ) -> io::Result<()> {
        let mut left = questions.len();
        while left > 0 {
            let Some((number, answer)) = self.receive()? else { continue };
            let at = number.wrapping_sub(first) as usize;
            if let (Some(question), Some(known)) = (questions.get(at), known.get_mut(at)) {
                *known = conntrack::translation(question, &answer);
                left -= 1;
            }
        }
        Ok(())
    }

    /// One reply, which is there already; `None` if it is none, or was interrupted.
    fn receive(&mut self) -> io::Result<Option<(u32, Answer)>> {
        match self.socket.recv(&mut &mut self.buffer[..], libc::MSG_DONTWAIT) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(None),
            length => {
                let reply = self.buffer.get(..length?).and_then(conntrack::read_reply);
                Ok(reply.map(|reply| (reply.number, reply.answer)))
            }
        }
    }
}

/// Whether the network namespace of this process is the host's: that of the host's first process. In a pid namespace of
/// its own the first process is another one.
fn is_hosts_namespace(proc: &Path) -> bool {
    let link = |name: &str| std::fs::read_link(proc.join(name)).ok();
    let initial_pid = link("self/ns/pid").is_some_and(|pid| pid.as_os_str() == INITIAL_PID);
    let own = link("self/ns/net");
    initial_pid && own.is_some() && own == link("1/ns/net")
}

#[cfg(test)]
mod tests {
    use super::*;
    use gdprport_core::model::{Direction, Endpoint};

    /// More than one call takes; nothing of it is tracked.
    #[test]
    fn every_question_gets_one_answer() {
        let Ok(mut asker) = Asker::open() else { return };
        let question = |cookie| Question {
            cookie,
            direction: Direction::In,
            local: Endpoint::new("192.0.2.1".parse().expect("an address"), 5432),
            peer: Endpoint::new("2001:db8::1".parse().expect("an address"), 1),
        };
        let questions: Vec<_> = (0..100).map(question).collect();
        let mut answers = Vec::new();
        questions.chunks(AT_ONCE).for_each(|some| asker.answer(some, &mut answers));
        assert_eq!(answers.len(), 100);
        let v4 = |cookie| Question {
            peer: Endpoint::new("192.0.2.9".parse().expect("an address"), 1),
            ..question(cookie)
        };
        answers.clear();
        asker.answer(&[v4(1), v4(2)], &mut answers);
        assert_eq!(answers, [(1, None), (2, None)]);
    }

    #[test]
    fn questions_beyond_the_bound_are_given_back() {
        let (to, inbox) = channel();
        let conntrack = Conntrack { to, waiting: Arc::new(AtomicUsize::new(WAITING - 1)) };
        let local = Endpoint::new("192.0.2.1".parse().expect("an address"), 5432);
        let question = Question { cookie: 1, direction: Direction::In, local, peer: local };
        assert_eq!(conntrack.ask(vec![question; 2]), Err(vec![question; 2]));
        assert_eq!(conntrack.ask(vec![question]), Ok(()));
        assert_eq!(inbox.recv(), Ok(vec![question]));
        drop(inbox);
        let ended = Conntrack { waiting: Arc::default(), ..conntrack };
        assert_eq!(ended.ask(vec![question]), Err(vec![question]));
    }
}
