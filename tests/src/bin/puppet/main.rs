//! A program on strings: does with TCP sockets what its standard input says, one command a line, and answers
//! each with one line, `ok …` or `err …`. It ends when its input ends.
//!
//! Belongs here: reading commands and naming sockets. What the commands do stands in the modules.

mod crowd;
mod data;
mod hand;
mod mask;
mod socket;
mod uring;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};

/// What a command answers: the words after `ok`.
type Answer = io::Result<String>;

/// The sockets that the puppet holds, by number.
#[derive(Default)]
struct Puppet {
    listener: Option<OwnedFd>,
    streams: BTreeMap<u32, TcpStream>,
    /// Held without a number.
    crowd: Vec<OwnedFd>,
    next: u32,
    served: crowd::Served,
}

impl Puppet {
    fn listener(&self) -> io::Result<&OwnedFd> {
        self.listener.as_ref().ok_or_else(|| io::Error::other("nothing listens yet"))
    }

    fn stream(&self, id: u32) -> io::Result<&TcpStream> {
        self.streams.get(&id).ok_or_else(|| io::Error::other(format!("there is no stream {id}")))
    }

    fn drop_stream(&mut self, id: u32) -> io::Result<TcpStream> {
        self.streams.remove(&id).ok_or_else(|| io::Error::other(format!("there is no stream {id}")))
    }

    /// Keeps a stream and answers with its number and the address given.
    fn keep(&mut self, stream: TcpStream, address: SocketAddr) -> String {
        self.next += 1;
        self.streams.insert(self.next, stream);
        format!("{} {address}", self.next)
    }

    fn obey(&mut self, words: &[&str]) -> Answer {
        match *words {
            ["listen", at] => self.listen(at, false),
            ["listen-shared", at] => self.listen(at, true),
            ["unlisten"] => self.unlisten(),
            ["connect", to] => self.connect(to),
            ["connect-fail", to] => socket::connect_fail(to),
            ["connect-denied", to] => socket::connect_denied(to),
            ["connect-abandon", to] => socket::connect_abandon(to),
            ["accept"] => self.accept(),
            ["accept-null"] => self.accept_null(),
            ["accept-blind"] => self.accept_blind(),
            ["accept-uring"] => self.accept_uring(),
            ["connect-many", to, n] => self.connect_many(to, number(n)?),
            ["accept-many", n] => self.accept_many(number(n)?),
            ["say-many", word, bytes] => self.say_many(word, number(bytes)?),
            ["close-many"] => Ok(self.crowd.drain(..).count().to_string()),
            ["close", id] => self.drop_stream(number(id)?).map(|_| String::new()),
            ["reset", id] => self.reset(number(id)?),
            ["shutdown", id] => self.shutdown(number(id)?),
            ["send", id, n] => data::send(self.stream(number(id)?)?, number(n)?),
            ["sendfile", id, n] => data::sendfile(self.stream(number(id)?)?, number(n)?),
            ["splice", id, n] => data::splice_out(self.stream(number(id)?)?, number(n)?),
            ["recv", id, n] => data::receive(self.stream(number(id)?)?, number(n)?),
            ["recv-splice", id, n] => data::splice_in(self.stream(number(id)?)?, number(n)?),
            ["recv-end", id] => data::receive_to_end(self.stream(number(id)?)?),
            ["recv-line", id] => data::receive_line(self.stream(number(id)?)?),
            ["duplex", id, out, into] => data::duplex(self.stream(number(id)?)?, number(out)?, number(into)?),
            ["drain", id] => data::drain(self.stream(number(id)?)?),
            ["setuid", uid] => hand::setuid(number(uid)?),
            ["give", path, "listener"] => hand::give(path, self.listener()?),
            ["give", path, id] => hand::give(path, self.stream(number(id)?)?),
            ["take-listener", path] => self.take_listener(path),
            ["take", path] => self.take(path),
            ["fork-send", id, n] => self.fork_send(number(id)?, number(n)?),
            ["prefork", n] => crowd::prefork(self.listener()?, number(n)?, false),
            ["prefork-blind", n] => crowd::prefork(self.listener()?, number(n)?, true),
            ["fork-storm", to, n] => crowd::fork_storm(to, number(n)?),
            ["holds", id] => Ok(self.stream(number(id)?)?.as_raw_fd().to_string()),
            ["steal", pid, fd] => self.steal(number(pid)?, number(fd)?),
            ["name", name] => mask::rename(name),
            ["exec", path] => mask::exec(path),
            ["exec-from-thread", path] => mask::exec_from_thread(path),
            ["exec-memory", name] => mask::exec_memory(name),
            ["churn", n] => mask::churn(number(n)?),
            ["chroot", dir] => mask::chroot(dir),
            ["unshare-user"] => mask::unshare_user(),
            ["run", path, word] => mask::run(path, word),
            ["cover", with, what] => mask::cover(with, what),
            ["sleepers", n] => mask::sleepers(number(n)?),
            ["connect-from-child", to] => mask::connect_from_child(to),
            ["serve"] => self.serve(),
            ["served"] => Ok(self.served.count().to_string()),
            ["burst", to, total, ways] => crowd::burst(to, number(total)?, number(ways)?),
            _ => Err(io::Error::other(format!("no such command: {}", words.join(" ")))),
        }
    }
}

/// Reads a number of whatever width the command wants.
fn number<T: std::str::FromStr>(word: &str) -> io::Result<T> {
    word.parse().map_err(|_| io::Error::other(format!("not a number: {word}")))
}

fn main() -> io::Result<()> {
    // One that was executed by another says that it is there.
    if std::env::args().nth(1).is_some() {
        println!("ok");
    }
    // SAFETY: standard input is open, and nobody else of this program reads it.
    let input = BufReader::new(unsafe { File::from_raw_fd(0) });
    serve(Puppet::default(), input)
}

/// Obeys until the input ends. What is special about `leave-leader`: another thread goes on, and this one, the
/// process's first, ends.
fn serve(mut puppet: Puppet, mut input: BufReader<File>) -> io::Result<()> {
    let mut line = String::new();
    while input.read_line(&mut line)? > 0 {
        let words: Vec<&str> = line.split_whitespace().collect();
        if words == ["leave-leader"] {
            mask::leave_leader(move || serve(puppet, input));
        }
        let answer = match puppet.obey(&words) {
            Ok(said) => format!("ok {said}\n"),
            Err(problem) => format!("err {problem}\n"),
        };
        let mut out = io::stdout();
        out.write_all(answer.as_bytes())?;
        out.flush()?;
        line.clear();
    }
    Ok(())
}
