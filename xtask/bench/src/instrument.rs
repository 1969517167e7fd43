//! The instrument: reads orders, one a line, and replies to each with one line. At the end of its input, however that
//! came about, it ends what it started and undoes what it did.

use std::error::Error;
use std::io::{self, BufRead as _, Write as _};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use gdprport_tests::netns::{Netns, VethPair};
use gdprport_tests::pins::BpfFs;
use serde_json::{Value, json};

use crate::load::{self, Database, Ends, Held};
use crate::monitors::{self, Monitors};
use crate::request::{Request, Route};
use crate::{clock, growing, programs};

/// Settings of the namespaces: room for many connections, with client ports outside the watched ones. On loopback a port is
/// used again after a second anyway.
const SYSCTLS: [(&str, &str); 4] = [
    ("net/ipv4/tcp_tw_reuse", "1"),
    ("net/ipv4/ip_local_port_range", "2048 45000"),
    ("net/core/somaxconn", "4096"),
    ("net/ipv4/tcp_max_syn_backlog", "4096"),
];

struct Instrument {
    netns: Netns,
    /// Made when the first load needs it.
    pair: Option<VethPair>,
    database: Option<Database>,
    held: Held,
    // Before the file system in which they pin.
    monitors: Monitors,
    pins: Option<BpfFs>,
    stats: Option<OwnedFd>,
}

/// Serves until standard input ends.
pub(crate) fn run() -> Result<(), Box<dyn Error>> {
    allow_descriptors()?;
    let netns = Netns::new();
    prepare(&netns);
    let mut instrument = Instrument {
        netns,
        pair: None,
        database: None,
        held: Held::default(),
        monitors: Monitors::default(),
        pins: None,
        stats: None,
    };
    for line in io::stdin().lock().lines() {
        let reply = serde_json::from_str(&line?)
            .map_err(|error| error.to_string())
            .and_then(|request| instrument.handle(request));
        let reply = reply.unwrap_or_else(|error| json!({ "error": error }));
        writeln!(io::stdout(), "{reply}")?;
    }
    Ok(())
}

impl Instrument {
    fn handle(&mut self, request: Request) -> Result<Value, String> {
        let text = |error: io::Error| error.to_string();
        match request {
            Request::Sequential { port, count, route } => {
                let ends = self.ends(route);
                let listener = ends.listen(port).map_err(text)?;
                ends.client.inside(|| load::sequential(&listener, ends.next(port), count)).map_err(text)
            }
            Request::Crowd { port, count, ways, seconds } => {
                self.netns.inside(|| load::crowd(port, count, ways, seconds)).map_err(text)
            }
            Request::Processes { port, count, client } => {
                self.netns.inside(|| load::processes(port, count, &client)).map_err(text)
            }
            Request::Bulk { port, blocks, up, route } => {
                let ends = self.ends(route);
                let listener = ends.listen(port).map_err(text)?;
                ends.client.inside(|| load::bulk(&listener, ends.next(port), blocks, up)).map_err(text)
            }
            Request::Pins {} => Ok(json!(self.pins.get_or_insert_with(BpfFs::new).pins())),
            Request::DatabaseStart { port } => {
                let database = Database::start(self.pair.get_or_insert_with(pair), port)?;
                let reply = database.identity();
                self.database = Some(database);
                Ok(reply)
            }
            Request::Transactions { route, how, clients, seconds } => {
                let pair = self.pair.as_ref().ok_or("no database was started")?;
                let database = self.database.as_ref().ok_or("no database was started")?;
                database.transactions(pair, route, how, clients, seconds)
            }
            Request::DatabaseEnd {} => {
                self.database = None;
                Ok(Value::Null)
            }
            Request::Parties(order) => load::parties(&self.netns, &mut self.monitors, &order),
            Request::ReportLatency { port, count, events } => {
                self.netns.inside(|| load::report_latency(port, count, &events)).map_err(text)
            }
            Request::Hold { ports, count } => {
                self.held.open(&self.netns, &ports, count).map_err(text)?;
                Ok(Value::Null)
            }
            Request::HangUp {} => {
                self.held = Held::default();
                Ok(Value::Null)
            }
            Request::Start { name, argv, stdout, stderr, inside } => {
                let netns = inside.then_some(&self.netns);
                let pid = self.monitors.start(&name, &argv, stdout.as_deref(), stderr.as_deref(), netns)?;
                Ok(json!({ "pid": pid }))
            }
            Request::Stop { name, signal } => self.monitors.stop(&name, signal).map(Value::from),
            Request::Await { path, text, count, seconds } => {
                Ok(growing::count(&path, text.as_bytes(), count, Duration::from_secs(seconds)).into())
            }
            Request::Signal { name, signal } => {
                self.monitors.signal(&name, signal)?;
                Ok(Value::Null)
            }
            Request::Alive { name } => Ok(self.monitors.alive(&name).into()),
            Request::Run { argv, inside, keep } => {
                let (begun, used) = (Instant::now(), clock::children_ns());
                let output = monitors::run(&argv, inside.then_some(&self.netns), keep)?;
                Ok(json!({
                    "ns": u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX),
                    "cpu_ns": clock::children_ns() - used,
                    "status": output.status.code(),
                    "stdout": String::from_utf8_lossy(&output.stdout),
                    "stderr": String::from_utf8_lossy(&output.stderr),
                }))
            }
            Request::Undo { argv } => {
                self.monitors.undo(argv);
                Ok(Value::Null)
            }
            Request::Cpu { pids } => {
                let times: io::Result<Vec<u64>> = pids.into_iter().map(clock::cpu_ns).collect();
                Ok(times.map_err(text)?.into_iter().sum::<u64>().into())
            }
            Request::Programs { pids } => Ok(programs::list(&pids)),
            Request::Stats { on } => {
                self.stats = if on { Some(programs::measure()?) } else { None };
                Ok(Value::Null)
            }
        }
    }
}

impl Instrument {
    fn ends(&mut self, route: Route) -> Ends<'_> {
        match route {
            Route::Lo => Ends::on_loopback(&self.netns),
            Route::Veth => Ends::on_veth(self.pair.get_or_insert_with(pair)),
        }
    }
}

/// A veth pair whose ends are as the namespace of the load.
fn pair() -> VethPair {
    let pair = VethPair::new();
    for end in [&pair.left, &pair.right] {
        prepare(end);
    }
    load::give_addresses(&pair);
    pair
}

fn prepare(netns: &Netns) {
    for (name, value) in SYSCTLS {
        netns.sysctl(name, value);
    }
}

/// As many descriptors as the kernel allows, or as this process may have: both ends of every connection are held here.
fn allow_descriptors() -> Result<(), Box<dyn Error>> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let most: u64 = std::fs::read_to_string("/proc/sys/fs/nr_open")?.trim().parse()?;
    let all = Rlimit { current: Some(most), maximum: Some(most) };
    if setrlimit(Resource::Nofile, all).is_err() {
        let maximum = getrlimit(Resource::Nofile).maximum;
        setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?;
    }
    Ok(())
}
