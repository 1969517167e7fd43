//! The servers of the picture and who calls them.

use std::process::Command;

use crate::child::Place;
use crate::client::run;
use crate::netns::Netns;
use crate::servers::{Nginx, Postgres, Python, Redis, Site, client_script};
use crate::skip::Missing;
use crate::temp::TempDir;
use crate::user::User;

/// The host, its neighbours and its servers.
#[derive(Debug)]
pub struct Host {
    /// The network namespace of the host; it has [`Host::ADDRESS`].
    pub netns: Netns,
    /// Who calls: at [`Host::APPS`].
    pub apps: [Netns; 3],
    /// A namespace with an nginx of its own, at [`Host::WEB`].
    pub edge: Netns,
    servers: Option<Servers>,
    _web: Nginx,
    dir: TempDir,
}

#[derive(Debug)]
struct Servers {
    customers: Postgres,
    reports: Postgres,
    cache: Redis,
    sessions: Redis,
    _api: Python,
}

impl Host {
    /// The host's own address.
    pub const ADDRESS: &str = "10.77.0.1";
    /// Where the callers are.
    pub const APPS: [&str; 3] = ["10.77.1.2", "10.77.2.2", "10.77.3.2"];
    /// Where the nginx is.
    pub const WEB: &str = "10.77.4.2";
    /// PostgreSQL, offering TLS.
    pub const CUSTOMERS: u16 = 5432;
    /// Another PostgreSQL, where nobody looks for one.
    pub const REPORTS: u16 = 5433;
    /// Redis.
    pub const CACHE: u16 = 6379;
    /// Another Redis.
    pub const SESSIONS: u16 = 6380;
    /// An API in Python that speaks HTTP.
    pub const API: u16 = 8090;

    /// All of them, and the nginx's.
    pub const PORTS: [u16; 6] = [80, Self::CUSTOMERS, Self::REPORTS, Self::CACHE, Self::SESSIONS, Self::API];

    /// As hosts grow: PostgreSQL, a second one on another port, and a Redis, all of them bound to every address.
    ///
    /// # Errors
    /// [`Missing`] when one of the servers is not installed.
    pub fn out_of_order() -> Result<Self, Missing> {
        let netns = Netns::new();
        netns.ip(&["addr", "add", &format!("{}/32", Self::ADDRESS), "dev", "lo"]);
        let apps = [1, 2, 3].map(|n| Netns::joined_to(&netns, n));
        let edge = Netns::joined_to(&netns, 4);
        let web = Nginx::at(Site::inside(&edge, 80, &["0.0.0.0"]))?;
        let servers = Some(Servers::start(&netns, &["0.0.0.0", "::"])?);
        Ok(Self { netns, apps, edge, servers, _web: web, dir: TempDir::new() })
    }

    /// Starts its servers again, each bound to the host's own address only.
    ///
    /// # Errors
    /// [`Missing`] when one of them is not installed.
    pub fn put_in_order(&mut self) -> Result<(), Missing> {
        self.servers = None;
        self.servers = Some(Servers::start(&self.netns, &[Self::ADDRESS])?);
        Ok(())
    }

    fn servers(&self) -> &Servers {
        self.servers.as_ref().expect("they run, unless one could not be started again")
    }

    /// The executable of PostgreSQL's client.
    #[must_use]
    pub fn psql(&self) -> String {
        self.servers().customers.client_exe().display().to_string()
    }

    /// The executable of PostgreSQL.
    #[must_use]
    pub fn postgres(&self) -> String {
        self.servers().customers.server.exe.display().to_string()
    }

    /// The executable of Redis.
    #[must_use]
    pub fn redis(&self) -> String {
        self.servers().cache.server.exe.display().to_string()
    }

    /// The executable of Redis's client.
    #[must_use]
    pub fn redis_cli(&self) -> String {
        self.servers().cache.client_exe().display().to_string()
    }

    /// What everybody does who ought to: all three call PostgreSQL with TLS, the first one both sessions and the web.
    pub fn call_as_declared(&self) {
        for (app, times) in [(0, 3), (1, 2), (2, 1)] {
            for _ in 0..times {
                self.query(app, &User::games(), "require");
            }
        }
        run(self.servers().sessions.client(Self::ADDRESS, &["ping"]), self.at(0, &User::games()));
        self.fetch(Self::WEB, 80, Place::default().netns(&self.netns));
    }

    /// What everybody does once all is declared.
    pub fn call_in_order(&self) {
        self.call_as_declared();
        run(self.servers().cache.client(Self::ADDRESS, &["ping"]), self.at(0, &User::games()));
        let mut reports = self.servers().reports.client(Self::ADDRESS, "select 1");
        with_tls(&mut reports, "require");
        run(reports, self.at(0, &User::games()));
    }

    /// What else goes on: PostgreSQL without TLS, the cache, and the API.
    pub fn call_otherwise(&self) {
        self.query(1, &User::backup(), "disable");
        run(self.servers().cache.client(Self::ADDRESS, &["ping"]), self.at(0, &User::backup()));
        let reports = self.servers().reports.client(Self::ADDRESS, "select 1");
        run(reports, Place::default().netns(&self.netns).user(&User::games()));
        self.fetch(Self::ADDRESS, Self::API, self.at(0, &User::games()));
    }

    fn at<'a>(&'a self, app: usize, user: &'a User) -> Place<'a> {
        Place::default().netns(&self.apps[app]).user(user)
    }

    fn query(&self, app: usize, user: &User, tls: &str) {
        let mut command = self.servers().customers.client(Self::ADDRESS, "select 1");
        with_tls(&mut command, tls);
        run(command, self.at(app, user));
    }

    fn fetch(&self, host: &str, port: u16, place: Place<'_>) {
        let mut command = Command::new(client_script(&self.dir).expect("the API was started by it"));
        command.args([host, &port.to_string()]);
        run(command, place);
    }
}

/// Root's home may hold a certificate, which no other user could read.
fn with_tls(psql: &mut Command, mode: &str) {
    psql.env("PGSSLMODE", mode).env("HOME", "/nonexistent");
}

impl Servers {
    fn start(netns: &Netns, addresses: &[&str]) -> Result<Self, Missing> {
        let site = |port| Site::inside(netns, port, addresses);
        Ok(Self {
            customers: Postgres::at(site(Host::CUSTOMERS), true)?,
            reports: Postgres::at(site(Host::REPORTS), true)?,
            cache: Redis::at(site(Host::CACHE))?,
            sessions: Redis::at(Site::inside(netns, Host::SESSIONS, &[Host::ADDRESS]))?,
            _api: Python::at(Site::inside(netns, Host::API, &["0.0.0.0"]))?,
        })
    }
}
