//! Several programs with users of their own that connect at the same time, while a monitor is stopped for a while. Each
//! counts its own connections by both addresses: the truth that a monitor's events are compared with.

use std::collections::BTreeMap;
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use gdprport_tests::child::{Child, Place};
use gdprport_tests::netns::Netns;
use gdprport_tests::user::User;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{SocketAddrAny, SocketFlags};
use serde_json::{Value, json};

use super::{listen, socket};
use crate::monitors::Monitors;
use crate::request::{Caller, Identity, Parties};

/// Threads of the server that accept.
const ACCEPTORS: usize = 2;

/// How many connections a way makes between two addresses before it takes the next ones.
const PER_PAIR: u64 = 500;

/// What the server prints once it listens.
const LISTENING: &str = "listening";

/// Runs them all; replies with what each has counted, and when the monitor went on (ms since 1970).
///
/// # Errors
/// A user of this host is missing, or one of the programs fails.
pub(crate) fn parties(netns: &Netns, monitors: &mut Monitors, order: &Parties) -> Result<Value, String> {
    let begun = Instant::now();
    let mut server = Party::start(netns, &order.server, &["serve", &order.port.to_string()])?;
    server.wait_for(LISTENING)?;
    let mut callers = Vec::new();
    for caller in &order.callers {
        callers.push((Party::start(netns, &caller.identity, &args(order.port, caller))?, &caller.identity));
    }
    thread::sleep(Duration::from_secs(order.stop_after));
    let stopped = Duration::from_secs(order.stop_for);
    monitors.signal(&order.monitor, libc::SIGSTOP)?;
    thread::sleep(stopped / 4);
    let stranger = Party::start(netns, &order.stranger.identity, &args(order.port, &order.stranger));
    thread::sleep(stopped - stopped / 4);
    let continued =
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64() * 1e3);
    monitors.signal(&order.monitor, libc::SIGCONT)?;
    callers.push((stranger?, &order.stranger.identity));
    let mut counted = Vec::new();
    for (party, identity) in callers {
        counted.push(json!({ "exe": identity.exe, "user": identity.user, "pairs": party.end()? }));
    }
    let ns = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
    let accepted = json!({ "exe": order.server.exe, "user": order.server.user, "peers": server.end()? });
    Ok(json!({ "callers": counted, "server": accepted, "continued_ms": continued, "ns": ns }))
}

fn args(port: u16, caller: &Caller) -> Vec<String> {
    let list =
        |addresses: &[Ipv4Addr]| addresses.iter().map(Ipv4Addr::to_string).collect::<Vec<_>>().join(",");
    let numbers = [u64::from(caller.ways), caller.seconds, caller.count, caller.pause];
    let mut args = vec!["call".to_owned(), port.to_string(), list(&caller.from), list(&caller.to)];
    args.extend(numbers.map(|number| number.to_string()));
    args
}

/// One of the programs.
struct Party {
    child: Child,
    name: String,
}

impl Party {
    fn start<S: AsRef<std::ffi::OsStr>>(
        netns: &Netns,
        identity: &Identity,
        args: &[S],
    ) -> Result<Self, String> {
        let user = User::named(&identity.user).map_err(|missing| missing.to_string())?;
        let mut command = Command::new(&identity.exe);
        command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).current_dir("/");
        let child = Child::start(command, Place::default().netns(netns).user(&user));
        Ok(Self { child, name: identity.exe.clone() })
    }

    /// Waits until it has printed this line.
    fn wait_for(&mut self, line: &str) -> Result<(), String> {
        let stdout = self.child.pipes().stdout.as_mut().expect("stdout is piped");
        let mut printed = vec![0; line.len() + 1];
        stdout.read_exact(&mut printed).map_err(|error| format!("{} ended: {error}", self.name))?;
        if printed.strip_suffix(b"\n") == Some(line.as_bytes()) {
            return Ok(());
        }
        Err(format!("{} printed {}", self.name, String::from_utf8_lossy(&printed)))
    }

    /// Ends its input, which ends a server, and returns what it has counted.
    fn end(mut self) -> Result<Value, String> {
        let pipes = self.child.pipes();
        drop(pipes.stdin.take());
        let mut text = String::new();
        let mut stdout = pipes.stdout.take().expect("stdout is piped");
        stdout.read_to_string(&mut text).map_err(|error| format!("{}: {error}", self.name))?;
        serde_json::from_str(&text).map_err(|_| format!("{} failed and has printed the reason", self.name))
    }
}

/// Accepts and closes until standard input ends; prints how many connections came from each address.
pub(crate) fn serve(port: u16) -> io::Result<()> {
    let listener = listen(Ipv4Addr::UNSPECIFIED, port)?;
    rustix::io::ioctl_fionbio(&listener, true)?;
    println!("{LISTENING}");
    let over = AtomicBool::new(false);
    let counts = thread::scope(|scope| {
        let acceptors: Vec<_> =
            (0..ACCEPTORS).map(|_| scope.spawn(|| accept_and_count(&listener, &over))).collect();
        let ended = io::copy(&mut io::stdin(), &mut io::sink());
        over.store(true, Ordering::Relaxed);
        let mut all: BTreeMap<Ipv4Addr, u64> = BTreeMap::new();
        for acceptor in acceptors {
            for (peer, count) in acceptor.join().expect("an acceptor does not panic") {
                *all.entry(peer).or_default() += count;
            }
        }
        ended.map(|_| all)
    })?;
    let counts: serde_json::Map<String, Value> =
        counts.into_iter().map(|(peer, count)| (peer.to_string(), count.into())).collect();
    writeln!(io::stdout(), "{}", Value::from(counts))
}

fn accept_and_count(listener: &OwnedFd, over: &AtomicBool) -> BTreeMap<Ipv4Addr, u64> {
    let tick = Timespec { tv_sec: 0, tv_nsec: 10_000_000 };
    let mut counts = BTreeMap::new();
    loop {
        // Read before the queue is looked at, so that nothing is left in it.
        let last = over.load(Ordering::Relaxed);
        if poll(&mut [PollFd::new(listener, PollFlags::IN)], Some(&tick)).unwrap_or(0) > 0 {
            while let Ok((accepted, peer)) = rustix::net::acceptfrom_with(listener, SocketFlags::CLOEXEC) {
                drop(accepted);
                if let Some(peer) = peer.and_then(ipv4) {
                    *counts.entry(peer).or_default() += 1;
                }
            }
        }
        if last {
            return counts;
        }
    }
}

fn ipv4(address: SocketAddrAny) -> Option<Ipv4Addr> {
    match SocketAddr::try_from(address).ok()? {
        SocketAddr::V4(address) => Some(*address.ip()),
        SocketAddr::V6(_) => None,
    }
}

/// Connects from each address to each, and prints how many connections were made between which.
pub(crate) fn call(port: u16, from: &str, to: &str, numbers: [u64; 4]) -> io::Result<()> {
    let [ways, seconds, count, pause] = numbers;
    let list = |text: &str| -> io::Result<Vec<Ipv4Addr>> {
        text.split(',').map(|address| address.parse().map_err(io::Error::other)).collect()
    };
    let (from, to) = (list(from)?, list(to)?);
    let pairs: Vec<(Ipv4Addr, Ipv4Addr)> =
        from.iter().flat_map(|from| to.iter().map(move |to| (*from, *to))).collect();
    let limit = (seconds > 0).then(|| Instant::now() + Duration::from_secs(seconds));
    let counts = thread::scope(|scope| {
        let ways: Vec<_> = (0..ways)
            .map(|way| {
                let pairs = &pairs;
                scope.spawn(move || connect(port, pairs, way, limit, count, Duration::from_millis(pause)))
            })
            .collect();
        let mut all = vec![0_u64; pairs.len()];
        for way in ways {
            for (all, count) in all.iter_mut().zip(way.join().expect("a way does not panic")?) {
                *all += count;
            }
        }
        io::Result::Ok(all)
    })?;
    let counted: Vec<Value> = pairs
        .iter()
        .zip(counts)
        .filter(|(_, count)| *count > 0)
        .map(|((from, to), count)| json!({ "from": from, "to": to, "count": count }))
        .collect();
    writeln!(io::stdout(), "{}", Value::from(counted))
}

/// One way: how many connections it made between each pair of addresses.
fn connect(
    port: u16,
    pairs: &[(Ipv4Addr, Ipv4Addr)],
    way: u64,
    limit: Option<Instant>,
    count: u64,
    pause: Duration,
) -> io::Result<Vec<u64>> {
    let mut counts = vec![0; pairs.len()];
    let mut made = 0;
    while limit.is_none_or(|limit| Instant::now() < limit) && (count == 0 || made < count) {
        let at = usize::try_from(way + made / PER_PAIR).unwrap_or(0) % pairs.len();
        let (from, to) = pairs[at];
        let client = socket()?;
        late_port(&client)?;
        rustix::net::bind(&client, &SocketAddrV4::new(from, 0))?;
        rustix::net::connect(&client, &SocketAddrV4::new(to, port))?;
        TcpStream::from(client).read_to_end(&mut Vec::new())?;
        counts[at] += 1;
        made += 1;
        if !pause.is_zero() && made < count {
            thread::sleep(pause);
        }
    }
    Ok(counts)
}

/// The port is chosen by connect, which knows both addresses: bind would need one that is free for all.
fn late_port(socket: &OwnedFd) -> io::Result<()> {
    let on: libc::c_int = 1;
    let size = libc::socklen_t::try_from(size_of::<libc::c_int>()).expect("four bytes");
    // SAFETY: the kernel reads one int from a live one.
    let done = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_IP,
            libc::IP_BIND_ADDRESS_NO_PORT,
            (&raw const on).cast(),
            size,
        )
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
