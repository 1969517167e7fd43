//! A remote-controlled program: does with TCP sockets what the commands on its standard input ask for, one a line,
//! and replies to each with one line, `ok …` or `err …`. It ends when its input ends.
//!
//! Belongs here: reading commands. What the commands do stands in the modules.

mod crowd;
mod data;
mod fd_passing;
mod hide;
mod mask;
mod socket;
mod state;
mod unusual;
mod uring;

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::fd::{AsRawFd as _, FromRawFd as _};

use crowd::Worker;
use state::{Puppet, Reply};

fn obey(puppet: &mut Puppet, words: &[&str]) -> Reply {
    match *words {
        ["listen", at] => puppet.listen(at, false),
        ["listen-shared", at] => puppet.listen(at, true),
        ["unlisten"] => puppet.unlisten(),
        ["connect", to] => puppet.connect(to),
        ["connect-filled", to] => puppet.connect_filled(to),
        ["connect-many-filled", to, n] => puppet.connect_many_filled(to, number(n)?),
        ["listen-filled", at] => puppet.listen_filled(at),
        ["bind", at] => puppet.bind(at),
        ["bind-udp", at] => socket::bind_udp(at),
        ["fails", ref words @ ..] => match obey(puppet, words) {
            Ok(done) => Err(io::Error::other(format!("it did not fail: {done}"))),
            Err(failure) => Ok(format!("{:?}", failure.kind())),
        },
        ["listen-anywhere"] => puppet.listen_anywhere(None),
        ["listen-anywhere", at] => puppet.listen_anywhere(Some(at)),
        ["dissolve-and-listen", id] => puppet.dissolve_and_listen(number(id)?),
        ["connect-from", from, to] => puppet.connect_from(from, to),
        ["connect-uring", to] => puppet.connect_uring(to),
        ["connect-mptcp", to] => puppet.connect_mptcp(to),
        ["listen-mptcp", at] => puppet.listen_mptcp(at),
        ["connect-unsent", to] => socket::connect_unsent(to),
        ["connect-fail", to] => socket::connect_fail(to),
        ["connect-denied", to] => socket::connect_denied(to),
        ["connect-abandon", to] => socket::connect_abandon(to),
        ["accept"] => puppet.accept(),
        ["accept-null"] => puppet.accept_null(),
        ["accept-blind"] => puppet.accept_blind(),
        ["accept-uring"] => puppet.accept_uring(),
        ["connect-many", to, n] => puppet.connect_many(to, number(n)?),
        ["accept-many", n] => puppet.accept_many(number(n)?),
        ["send-line-many", word, bytes] => puppet.send_line_many(word, number(bytes)?),
        ["close-many"] => Ok(puppet.crowd.drain(..).count().to_string()),
        ["close", id] => puppet.drop_stream(number(id)?).map(|_| String::new()),
        ["reset", id] => puppet.reset(number(id)?),
        ["impatient", id, how] => socket::impatient(puppet.stream(number(id)?)?, how),
        ["shutdown", id] => puppet.shutdown(number(id)?),
        ["send", id, n] => data::send(puppet.stream(number(id)?)?, number(n)?),
        ["sendfile", id, n] => data::sendfile(puppet.stream(number(id)?)?, number(n)?),
        ["splice", id, n] => data::splice_out(puppet.stream(number(id)?)?, number(n)?),
        ["recv", id, n] => data::receive(puppet.stream(number(id)?)?, number(n)?),
        ["recv-splice", id, n] => data::splice_in(puppet.stream(number(id)?)?, number(n)?),
        ["recv-end", id] => data::receive_to_end(puppet.stream(number(id)?)?),
        ["recv-line", id] => data::receive_line(puppet.stream(number(id)?)?),
        ["duplex", id, out, into] => data::duplex(puppet.stream(number(id)?)?, number(out)?, number(into)?),
        ["drain", id] => data::drain(puppet.stream(number(id)?)?),
        ["setuid", uid] => mask::setuid(number(uid)?),
        ["seteuid", uid] => mask::seteuid(number(uid)?),
        ["give", path, "listener"] => fd_passing::give(path, puppet.listener()?),
        ["give", path, id] => fd_passing::give(path, puppet.stream(number(id)?)?),
        ["take-listener", path] => puppet.take_listener(path),
        ["take", path] => puppet.take(path),
        ["fork-send", id, n] => puppet.fork_send(number(id)?, number(n)?),
        ["prefork", n] => crowd::prefork(puppet.listener()?, number(n)?, Worker::Usual),
        ["prefork-blind", n] => crowd::prefork(puppet.listener()?, number(n)?, Worker::Blind),
        ["prefork-listening", n] => crowd::prefork(puppet.listener()?, number(n)?, Worker::Listening),
        ["fork-storm", to, n] => crowd::fork_storm(to, number(n)?),
        ["holds", id] => Ok(puppet.stream(number(id)?)?.as_raw_fd().to_string()),
        ["steal", pid, fd] => puppet.steal(number(pid)?, number(fd)?),
        ["name", name] => mask::rename(name),
        ["exec", path] => mask::exec(path),
        ["exec-from-thread", path] => mask::exec_from_thread(path),
        ["exec-memory", name] => mask::exec_memory(name),
        ["run-memory", of, name, to] => mask::run_memory(of, name, to),
        ["disguise", path] => mask::disguise(path),
        ["churn", n] => mask::churn(number(n)?),
        ["chroot", dir] => mask::chroot(dir),
        ["unshare-user"] => mask::unshare_user(),
        ["run", path, word] => mask::run(path, word),
        ["cover", with, what] => mask::cover(with, what),
        ["sleepers", n] => mask::sleepers(number(n)?),
        ["connect-from-child", to] => mask::connect_from_child(to),
        ["keys", n] => puppet.keys(number(n)?),
        ["pair-in-thread", netns, at] => puppet.pair_in_thread(netns, at),
        ["serve"] => puppet.serve(),
        ["served"] => Ok(puppet.served.count().to_string()),
        ["burst", to, total, ways] => crowd::burst(to, number(total)?, number(ways)?, 0),
        ["burst", to, total, ways, bytes] => crowd::burst(to, number(total)?, number(ways)?, number(bytes)?),
        _ => Err(io::Error::other(format!("no such command: {}", words.join(" ")))),
    }
}

/// Reads a number of the type that the command wants.
fn number<T: std::str::FromStr>(word: &str) -> io::Result<T> {
    word.parse().map_err(|_| io::Error::other(format!("not a number: {word}")))
}

fn main() -> io::Result<()> {
    // One that was executed by another reports that it is there.
    if std::env::args().nth(1).is_some() {
        println!("ok");
    }
    // SAFETY: standard input is open, and nothing else in this program reads it.
    let input = BufReader::new(unsafe { File::from_raw_fd(0) });
    serve(Puppet::default(), input)
}

/// Obeys until the input ends. `leave-leader` is special: another thread goes on, and this one, the process's first,
/// ends.
fn serve(mut puppet: Puppet, mut input: BufReader<File>) -> io::Result<()> {
    let mut line = String::new();
    while input.read_line(&mut line)? > 0 {
        let words: Vec<&str> = line.split_whitespace().collect();
        if words == ["leave-leader"] {
            mask::leave_leader(move || serve(puppet, input));
        }
        let reply = match obey(&mut puppet, &words) {
            Ok(text) => format!("ok {text}\n"),
            Err(problem) => format!("err {problem}\n"),
        };
        let mut out = io::stdout();
        out.write_all(reply.as_bytes())?;
        out.flush()?;
        line.clear();
    }
    Ok(())
}
