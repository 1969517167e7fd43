//! A program on strings: does with TCP sockets what its standard input says, one command a line, and answers
//! each with one line, `ok …` or `err …`. It ends when its input ends.
//!
//! Belongs here: reading commands and naming sockets. What the commands do stands in the modules.

mod crowd;
mod data;
mod hand;
mod socket;
mod uring;

use std::collections::BTreeMap;
use std::io::{self, BufRead as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;

/// What a command answers: the words after `ok`.
type Answer = io::Result<String>;

/// The sockets that the puppet holds, by number.
#[derive(Default)]
struct Puppet {
    listener: Option<OwnedFd>,
    streams: BTreeMap<u32, TcpStream>,
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
            ["connect-abandon", to] => socket::connect_abandon(to),
            ["accept"] => self.accept(),
            ["accept-null"] => self.accept_null(),
            ["accept-uring"] => self.accept_uring(),
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
            ["prefork", n] => crowd::prefork(self.listener()?, number(n)?),
            ["fork-storm", to, n] => crowd::fork_storm(to, number(n)?),
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
    let mut puppet = Puppet::default();
    let mut out = io::stdout();
    for line in io::stdin().lock().lines() {
        let line = line?;
        let words: Vec<&str> = line.split_whitespace().collect();
        let answer = match puppet.obey(&words) {
            Ok(said) => format!("ok {said}\n"),
            Err(problem) => format!("err {problem}\n"),
        };
        out.write_all(answer.as_bytes())?;
        out.flush()?;
    }
    Ok(())
}
