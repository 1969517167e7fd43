//! `gdprport policy learn` of real servers under way with several clients each: the policy that it makes declares all that was
//! there, and neither a new peer nor a new program.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use gdprport_tests::child::Place;
use gdprport_tests::client::run;
use gdprport_tests::commands::{gdprport, path, text};
use gdprport_tests::daemon::Start;
use gdprport_tests::ledger::count;
use gdprport_tests::need;
use gdprport_tests::policy::{open, policy};
use gdprport_tests::posture::curl;
use gdprport_tests::puppet::Puppet;
use gdprport_tests::servers::{Nginx, Postgres, Redis};
use gdprport_tests::skip::Missing;
use gdprport_tests::temp::TempDir;
use gdprport_tests::user::User;
use gdprport_tests::wait;
use serde_json::Value;

/// A database, a cache and a site with TLS, and two users whose programs call them.
struct Host {
    postgres: Postgres,
    redis: Redis,
    nginx: Nginx,
    users: [User; 2],
    dir: TempDir,
}

impl Host {
    fn start() -> Result<Self, Missing> {
        let (postgres, redis) = (Postgres::start()?, Redis::start()?);
        let nginx = Nginx::with_tls("TLSv1.3")?;
        Ok(Self { postgres, redis, nginx, users: [User::games(), User::backup()], dir: TempDir::new() })
    }

    fn ports(&self) -> [u16; 3] {
        [&self.postgres.server, &self.redis.server, &self.nginx.server].map(|server| server.port.number())
    }

    /// What goes on all day: each user's programs, on IPv4, and the first user's queries on IPv6 too.
    fn goes_on(&self, round: u32) {
        for (at, user) in self.users.iter().enumerate() {
            let place = Place::default().user(user);
            let host = if at == 0 && round.is_multiple_of(2) { "::1" } else { "127.0.0.1" };
            run(self.postgres.client(host, "select count(*) from pg_class"), place);
            let key = format!("session-{round}");
            run(self.redis.client("127.0.0.1", &["SET", &key, "x"]), place);
            run(self.redis.client("127.0.0.1", &["GET", &key]), place);
        }
        let site = curl(&self.dir, &self.nginx.server, "https", &[]).expect("it was there before");
        run(site, Place::default().user(&self.users[0]));
    }
}

/// Connections by what a policy would change, and how the command ended.
#[track_caller]
fn replayed(policy: &Path, ledger: &Path) -> (BTreeMap<String, u64>, Option<i32>) {
    let output = gdprport(&["policy", "replay", path(policy), "--ledger", path(ledger), "--json"]);
    let report: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output.stderr)));
    let totals = report["totals"].as_array().expect("a list").iter();
    let changes = totals.map(|total| {
        let flows = total["volume"]["flows"].as_u64().expect("a number");
        (total["change"].as_str().expect("a text").to_owned(), flows)
    });
    (changes.collect(), output.status.code())
}

/// Learns from what goes on for so long, and tries what was learned on it and on what comes afterwards.
fn learned_from(host: &Host, time: Duration) {
    let ports = host.ports();
    let mut daemon = Start::with(policy(ports.map(|port| open(port).key("emit = \"violations\"")))).start();
    for port in ports {
        daemon.log.wait("the server is known", |event| event.is("listener.open", port));
    }
    let start = Instant::now();
    let mut rounds = 0;
    while rounds < 4 || start.elapsed() < time {
        host.goes_on(rounds);
        rounds += 1;
    }
    // Both ends of each connection are here.
    let ends = u64::from(rounds) * 14;
    let all = |ends| {
        wait::until("the ledger has both ends of all", || {
            let numbers = ports.map(|port| port.to_string()).join(", ");
            let closed = format!(
                "SELECT sum(closed) FROM edge e JOIN port p ON p.id = e.port WHERE p.number IN ({numbers})"
            );
            count(daemon.ledger(), &closed) == ends
        });
    };
    all(ends);
    let ledger = daemon.ledger();
    let learned = host.dir.join("learned.toml");
    let output = gdprport(&["policy", "learn", "--ledger", path(ledger), "--output", path(&learned)]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let written = std::fs::read_to_string(&learned).expect("it was written");
    let checked = gdprport(&["policy", "check", "--any-owner", path(&learned)]);
    assert!(checked.status.success(), "{}\n{written}", text(&checked.stdout));
    println!("{rounds} rounds, {ends} ends of connections in {:?}:\n{written}", start.elapsed());

    // All of it is declared, each by a rule of its own.
    let (changes, exit) = replayed(&learned, ledger);
    assert_eq!((changes, exit), (BTreeMap::from([("other-rule".to_owned(), ends)]), Some(0)), "{written}");

    // A peer that never was there, and a program that never was.
    run(host.redis.client("::1", &["PING"]), Place::default().user(&host.users[0]));
    all(ends + 2);
    let (changes, exit) = replayed(&learned, ledger);
    assert_eq!((changes.get("declared-to-violation"), exit), (Some(&2), Some(1)), "{changes:?}\n{written}");
    let mut stranger = Puppet::at(Place::default().user(&host.users[0]));
    let held = stranger.connect(format!("127.0.0.1:{}", ports[1]));
    stranger.close(held);
    all(ends + 4);
    // The server cannot tell who calls: its end is declared, the stranger's is not.
    let (changes, exit) = replayed(&learned, ledger);
    assert_eq!((changes.get("declared-to-violation"), exit), (Some(&3), Some(1)), "{changes:?}\n{written}");
    assert_eq!(changes.get("other-rule"), Some(&(ends + 1)), "{changes:?}\n{written}");
    daemon.stop();
}

#[test]
fn what_several_servers_did_is_declared_and_nothing_else() {
    learned_from(&need!(Host::start()), Duration::ZERO);
}

/// The same for as long as `GDPRPORT_MINUTES` says, an hour if it says nothing.
#[test]
#[ignore = "on demand: learns from an hour of traffic; GDPRPORT_MINUTES says how long"]
fn an_hour_of_several_servers_is_declared_and_nothing_else() {
    let minutes = std::env::var("GDPRPORT_MINUTES").map_or(60, |text| text.parse().expect("whole minutes"));
    learned_from(&need!(Host::start()), Duration::from_mins(minutes));
}
