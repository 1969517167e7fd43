//! PostgreSQL, MariaDB and Redis.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::server::{Server, into_log};
use super::site::Site;
use crate::cgroup::Cgroup;
use crate::child::{Child, Place};
use crate::client::run;
use crate::ports::Port;
use crate::puppet::real;
use crate::skip::{Missing, installed};
use crate::temp::TempDir;
use crate::tls::{self, Identity};
use crate::user::User;

/// A PostgreSQL cluster of its own; anyone may log in as `postgres`.
#[derive(Debug)]
pub struct Postgres {
    /// The running server.
    pub server: Server,
    bin: PathBuf,
}

impl Postgres {
    /// Makes the cluster and starts it.
    ///
    /// # Errors
    /// [`Missing`] when PostgreSQL is not installed.
    ///
    /// # Panics
    /// When it is and does not start.
    pub fn start() -> Result<Self, Missing> {
        Self::made(Site::here(), None, &[])
    }

    /// The same, offering TLS.
    ///
    /// # Errors
    /// [`Missing`] when PostgreSQL or openssl is not installed.
    ///
    /// # Panics
    /// When it is and does not start.
    pub fn with_tls() -> Result<Self, Missing> {
        Self::made(Site::here(), Some(tls::identity()?), &[])
    }

    /// The same, offering this version of TLS alone, such as `TLSv1.2`.
    ///
    /// # Errors
    /// [`Missing`] when PostgreSQL or openssl is not installed.
    ///
    /// # Panics
    /// When it is and does not start.
    pub fn with_tls_only(version: &str) -> Result<Self, Missing> {
        let bound = |which: &str| format!("ssl_{which}_protocol_version={version}");
        Self::made(Site::here(), Some(tls::identity()?), &[bound("min"), bound("max")])
    }

    /// The same at this site, offering TLS if asked to; clients of every address may log in.
    ///
    /// # Errors
    /// [`Missing`] when PostgreSQL or openssl is not installed.
    ///
    /// # Panics
    /// When it is and does not start.
    pub fn at(site: Site<'_>, tls: bool) -> Result<Self, Missing> {
        let identity = if tls { Some(tls::identity()?) } else { None };
        Self::made(site, identity, &[])
    }

    fn made(site: Site<'_>, identity: Option<&Identity>, settings: &[String]) -> Result<Self, Missing> {
        let bin = newest_postgres()?;
        let user = User::named("postgres")?;
        let (dir, cgroup) = (TempDir::new(), Cgroup::service());
        let place = site.place().cgroup(&cgroup).user(&user);
        let data = dir.dir_for("data", &user);
        let mut init = Command::new(bin.join("initdb"));
        init.args([
            "--no-sync",
            "--auth=trust",
            "--username=postgres",
            "--locale=C",
            "--encoding=UTF8",
            "-D",
        ]);
        run(
            {
                init.arg(&data).current_dir(dir.path());
                init
            },
            place,
        );

        let Site { port, addresses, .. } = site;
        // `initdb` lets in whoever comes from loopback; a site elsewhere has clients of its own.
        let hba = dir.write("hba.conf", "host all all all trust\n");
        let mut command = Command::new(bin.join("postgres"));
        command.arg("-D").arg(&data).args(["-p", &port.to_string()]).current_dir(dir.path());
        let listen = format!("listen_addresses={}", addresses.join(","));
        let hba = format!("hba_file={}", hba.display());
        for setting in [&*listen, &*hba, "unix_socket_directories=", "fsync=off", "jit=off"] {
            command.args(["-c", setting]);
        }
        if let Some(identity) = identity {
            let files = identity.write_into(&dir, &user);
            for (setting, file) in [("ssl_cert_file", &files.certificate), ("ssl_key_file", &files.key)] {
                command.arg("-c").arg(format!("{setting}={}", file.display()));
            }
            command.args(["-c", "ssl=on"]);
        }
        for setting in settings {
            command.args(["-c", setting]);
        }
        into_log(&mut command, &dir);
        let child = Child::start(command, place);
        let exe = real(&bin.join("postgres"));
        let mut server = Server { child, cgroup, port, exe, user, dir, end_signal: libc::SIGINT };
        // The eighth line of the lock file is the state of the postmaster.
        server.wait_until(|server| {
            let lock = std::fs::read_to_string(server.dir.join("data/postmaster.pid")).unwrap_or_default();
            lock.lines().nth(7).is_some_and(|state| state.trim() == "ready")
        });
        Ok(Self { server, bin })
    }

    /// The client's executable (not the wrapper in `/usr/bin`).
    #[must_use]
    pub fn client_exe(&self) -> PathBuf {
        real(&self.bin.join("psql"))
    }

    /// The load generator that comes with it.
    #[must_use]
    pub fn pgbench_exe(&self) -> PathBuf {
        real(&self.bin.join("pgbench"))
    }

    /// A client that runs `sql` over TCP at `host` and prints bare values.
    #[must_use]
    pub fn client(&self, host: &str, sql: &str) -> Command {
        let mut command = Command::new(self.client_exe());
        command.args(["-X", "-At", "-U", "postgres", "-h", host, "-p", &self.server.port.to_string()]);
        command.args(["-d", "postgres", "-c", sql]);
        // Encryption is tested elsewhere; here the connection must not be tried twice.
        command.env("PGSSLMODE", "disable").env("PGGSSENCMODE", "disable");
        command
    }

    /// The major version.
    #[must_use]
    pub fn version(&self) -> u32 {
        version_of(&self.bin)
    }

    /// What makes the client print its own port as the server sees it.
    pub const PORT_QUERY: &str = "select inet_client_port()";
}

fn newest_postgres() -> Result<PathBuf, Missing> {
    let missing = || Missing::program("/usr/lib/postgresql/*/bin/postgres", "postgresql");
    let versions = std::fs::read_dir("/usr/lib/postgresql").map_err(|_| missing())?;
    versions
        .flatten()
        .map(|entry| entry.path().join("bin"))
        .filter(|bin| bin.join("postgres").exists() && bin.join("psql").exists())
        .max_by_key(|bin| version_of(bin))
        .ok_or_else(missing)
}

fn version_of(bin: &Path) -> u32 {
    bin.parent().and_then(Path::file_name).and_then(|name| name.to_str()?.parse().ok()).unwrap_or(0)
}

/// A MariaDB of its own, without passwords.
#[derive(Debug)]
pub struct MariaDb {
    /// The running server.
    pub server: Server,
    client: PathBuf,
}

impl MariaDb {
    /// Makes the data directory and starts it.
    ///
    /// # Errors
    /// [`Missing`] when MariaDB is not installed.
    ///
    /// # Panics
    /// When it is and does not start.
    pub fn start() -> Result<Self, Missing> {
        Self::made(None)
    }

    /// The same, offering TLS.
    ///
    /// # Errors
    /// [`Missing`] when MariaDB or openssl is not installed.
    ///
    /// # Panics
    /// When it is and does not start.
    pub fn with_tls() -> Result<Self, Missing> {
        Self::made(Some(tls::identity()?))
    }

    fn made(identity: Option<&Identity>) -> Result<Self, Missing> {
        let program = installed(&["/usr/sbin/mariadbd"], "mariadb-server")?;
        let install = installed(&["/usr/bin/mariadb-install-db"], "mariadb-server")?;
        let client = installed(&["/usr/bin/mariadb"], "mariadb-client")?;
        let user = User::named("mysql")?;
        let (dir, cgroup, port) = (TempDir::new(), Cgroup::service(), Port::free());
        let place = Place::default().cgroup(&cgroup).user(&user);
        let data = dir.dir_for("data", &user);
        let at = |option: &str, name: &str| format!("--{option}={}", data.join(name).display());
        let data_option = format!("--datadir={}", data.display());
        // Small, so that a machine with little memory and disk can run it: it holds no tables of ours.
        let small = ["--innodb-log-file-size=4M", "--innodb-buffer-pool-size=8M", "--aria-log-file-size=8M"];
        let mut init = Command::new(install);
        init.args([
            "--no-defaults",
            "--skip-test-db",
            "--auth-root-authentication-method=normal",
            &data_option,
        ]);
        run(
            {
                init.args(small).current_dir(dir.path());
                init
            },
            place,
        );

        let mut command = Command::new(&program);
        command.args(["--no-defaults", "--skip-name-resolve", "--skip-log-bin"]);
        command.args(["--bind-address=127.0.0.1,::1", &format!("--port={port}"), &data_option]).args(small);
        command.args([at("socket", "socket"), at("pid-file", "pid")]).current_dir(dir.path());
        if let Some(identity) = identity {
            let files = identity.write_into(&dir, &user);
            command.arg(format!("--ssl-cert={}", files.certificate.display()));
            command.arg(format!("--ssl-key={}", files.key.display()));
        }
        into_log(&mut command, &dir);
        let child = Child::start(command, place);
        let exe = real(&program);
        let mut server = Server { child, cgroup, port, exe, user, dir, end_signal: libc::SIGTERM };
        server.wait_until(|server| server.output().contains("ready for connections"));
        Ok(Self { server, client: real(&client) })
    }

    /// The client's executable.
    #[must_use]
    pub fn client_exe(&self) -> &Path {
        &self.client
    }

    /// A client that runs `sql` over TCP at `host` and prints bare values.
    #[must_use]
    pub fn client(&self, host: &str, sql: &str) -> Command {
        self.client_with(&["--skip-ssl"], host, sql)
    }

    /// The same with these options about TLS.
    #[must_use]
    pub fn client_with(&self, tls: &[&str], host: &str, sql: &str) -> Command {
        let mut command = Command::new(&self.client);
        command.args(["--no-defaults", "--protocol=tcp", "-N", "-B", "-u", "root"]).args(tls);
        command.args(["-h", host, "-P", &self.server.port.to_string(), "-e", sql]);
        command
    }

    /// What makes the client print its own port as the server sees it.
    pub const PORT_QUERY: &str = "select substring_index(host, ':', -1) from information_schema.processlist where id = connection_id()";
}

/// A Redis of its own that persists nothing.
#[derive(Debug)]
pub struct Redis {
    /// The running server.
    pub server: Server,
    client: PathBuf,
}

impl Redis {
    /// Starts it.
    ///
    /// # Errors
    /// [`Missing`] when Redis is not installed.
    ///
    /// # Panics
    /// When it is and does not start.
    pub fn start() -> Result<Self, Missing> {
        Self::made(Site::here(), None)
    }

    /// The same, speaking nothing but TLS 1.3.
    ///
    /// # Errors
    /// [`Missing`] when Redis or openssl is not installed.
    ///
    /// # Panics
    /// When it is and does not start.
    pub fn with_tls() -> Result<Self, Missing> {
        Self::made(Site::here(), Some(tls::identity()?))
    }

    /// The same as [`Redis::start`], at this site.
    ///
    /// # Errors
    /// [`Missing`] when Redis is not installed.
    ///
    /// # Panics
    /// When it is and does not start.
    pub fn at(site: Site<'_>) -> Result<Self, Missing> {
        Self::made(site, None)
    }

    fn made(site: Site<'_>, identity: Option<&Identity>) -> Result<Self, Missing> {
        let program = installed(&["/usr/bin/redis-server"], "redis-server")?;
        let client = installed(&["/usr/bin/redis-cli"], "redis-tools")?;
        let user = User::named("redis")?;
        let (dir, cgroup) = (TempDir::new(), Cgroup::service());
        let place = site.place().cgroup(&cgroup).user(&user);
        let Site { port, addresses, .. } = site;
        let data = dir.dir_for("data", &user);
        let mut command = Command::new(&program);
        command.args(["--save", "", "--daemonize", "no", "--dir"]).arg(&data);
        command.arg("--bind").args(addresses).args(["--protected-mode", "no"]);
        match identity {
            None => command.args(["--port", &port.to_string()]),
            Some(identity) => {
                let files = identity.write_into(&dir, &user);
                command.args(["--port", "0", "--tls-port", &port.to_string(), "--tls-auth-clients", "no"]);
                command.args(["--tls-protocols", "TLSv1.3", "--tls-cert-file"]).arg(files.certificate);
                command.arg("--tls-key-file").arg(files.key).arg("--tls-ca-cert-file").arg(files.authority)
            }
        };
        into_log(&mut command, &dir);
        let child = Child::start(command, place);
        let exe = real(&program);
        let mut server = Server { child, cgroup, port, exe, user, dir, end_signal: libc::SIGTERM };
        server.wait_until(|server| server.output().contains("eady to accept connections"));
        Ok(Self { server, client: real(&client) })
    }

    /// The client's executable.
    #[must_use]
    pub fn client_exe(&self) -> &Path {
        &self.client
    }

    /// A client that sends the command `words` over TCP to `host`.
    #[must_use]
    pub fn client(&self, host: &str, words: &[&str]) -> Command {
        let mut command = Command::new(&self.client);
        command.args(["-h", host, "-p", &self.server.port.to_string()]).args(words);
        command
    }

    /// The client's own port, from the output of `CLIENT INFO` or `CLIENT LIST`.
    ///
    /// # Panics
    /// When the output names none.
    #[must_use]
    pub fn port_in(output: &str) -> u16 {
        output
            .split_whitespace()
            .find_map(|word| word.strip_prefix("addr="))
            .and_then(|address| address.rsplit(':').next())
            .and_then(|port| port.parse().ok())
            .expect("the client's address")
    }
}
