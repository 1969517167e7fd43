//! nginx, Python and Node. Each responds to an HTTP request with the pid of the process that serves it.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::server::{Server, into_log};
use super::site::Site;
use crate::cgroup::Cgroup;
use crate::child::Child;
use crate::puppet::real;
use crate::skip::{Missing, installed};
use crate::temp::TempDir;
use crate::tls;
use crate::user::User;

/// An nginx with three workers.
#[derive(Debug)]
pub struct Nginx {
    /// The running server; its `pid` is the master's, its `user` the workers'.
    pub server: Server,
}

impl Nginx {
    /// Starts it.
    ///
    /// # Errors
    /// [`Missing`] when nginx is not installed.
    ///
    /// # Panics
    /// When it is and does not start.
    pub fn start() -> Result<Self, Missing> {
        Self::made(Site::here(), "", |_, _| String::new())
    }

    /// The same, speaking nothing but TLS of this `version`, as nginx writes it (`TLSv1.3`).
    ///
    /// # Errors
    /// [`Missing`] when nginx or openssl is not installed.
    ///
    /// # Panics
    /// When it is and does not start.
    pub fn with_tls(version: &str) -> Result<Self, Missing> {
        Self::secure(" ssl", version)
    }

    fn secure(listen: &str, version: &str) -> Result<Self, Missing> {
        let identity = tls::identity()?;
        Self::made(Site::here(), listen, |dir, user| {
            let files = identity.write_into(dir, user);
            let (certificate, key) = (files.certificate.display(), files.key.display());
            format!("ssl_protocols {version}; ssl_certificate {certificate}; ssl_certificate_key {key};")
        })
    }

    /// The same as [`Nginx::start`] and as [`Nginx::with_tls`], where only the client's first bytes make a connection
    /// (`TCP_DEFER_ACCEPT`).
    ///
    /// # Errors
    /// [`Missing`] when nginx or openssl is not installed.
    ///
    /// # Panics
    /// When it is and does not start.
    pub fn deferring() -> Result<[Self; 2], Missing> {
        Ok([
            Self::made(Site::here(), " deferred", |_, _| String::new())?,
            Self::secure(" ssl deferred", "TLSv1.3")?,
        ])
    }

    /// The same as [`Nginx::start`], speaking HTTP/2 in cleartext.
    ///
    /// # Errors
    /// [`Missing`] when nginx is not installed.
    ///
    /// # Panics
    /// When it is and does not start.
    pub fn with_http2() -> Result<Self, Missing> {
        Self::made(Site::here(), " http2", |_, _| String::new())
    }

    /// The same as [`Nginx::start`], at this site.
    ///
    /// # Errors
    /// [`Missing`] when nginx is not installed.
    ///
    /// # Panics
    /// When it is and does not start.
    pub fn at(site: Site<'_>) -> Result<Self, Missing> {
        Self::made(site, "", |_, _| String::new())
    }

    /// `listen`: what follows the address of each listener; `more`: further directives of the server.
    fn made(site: Site<'_>, listen: &str, more: impl Fn(&TempDir, &User) -> String) -> Result<Self, Missing> {
        let program = installed(&["/usr/sbin/nginx"], "nginx-light")?;
        let user = User::named("www-data")?;
        let (dir, cgroup) = (TempDir::new(), Cgroup::service());
        let (place, netns) = (site.place().cgroup(&cgroup), site.netns());
        let Site { port, addresses, .. } = site;
        let more = more(&dir, &user);
        let scratch = dir.dir_for("scratch", &user);
        let temp: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .iter()
            .map(|what| format!("{what}_temp_path {};\n", scratch.join(what).display()))
            .collect();
        let listeners: String = addresses
            .iter()
            .map(|address| if address.contains(':') { format!("[{address}]") } else { (*address).to_owned() })
            .map(|address| format!("listen {address}:{port}{listen}; "))
            .collect();
        let configuration = dir.write(
            "nginx.conf",
            &format!(
                "daemon off; user www-data; worker_processes 3; pid {pid}; error_log {log};\n\
                 events {{ worker_connections 64; accept_mutex off; }}\n\
                 http {{ access_log off; {temp}\n\
                 server {{ {listeners}{more}\n\
                 location / {{ return 200 \"$pid $remote_port\\n\"; }} }} }}\n",
                pid = dir.join("pid").display(),
                log = dir.join("error.log").display(),
            ),
        );
        let mut command = Command::new(&program);
        command.arg("-e").arg(dir.join("error.log")).arg("-c").arg(configuration);
        into_log(&mut command, &dir);
        let child = Child::start(command, place);
        let exe = real(&program);
        let mut server = Server { child, cgroup, port, exe, user, dir, end_signal: libc::SIGTERM };
        server.wait_until(|server| Site::is_listening(netns, server.port.number()));
        Ok(Self { server })
    }
}

/// The host's Python, never one that a user's `PATH` puts before it.
///
/// # Errors
/// [`Missing`] when it is not installed.
pub fn python() -> Result<PathBuf, Missing> {
    installed(&["/usr/bin/python3"], "python3")
}

/// A server in Python: a script, run by its interpreter.
#[derive(Debug)]
pub struct Python {
    /// The running server; its `exe` is the interpreter.
    pub server: Server,
}

const PYTHON_SERVER: &str = r#"
import http.server, os, socket, sys

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = f"{os.getpid()} {self.client_address[1]}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words):
        pass

http.server.ThreadingHTTPServer((sys.argv[2], int(sys.argv[1])), Handler).serve_forever()
"#;

impl Python {
    /// Starts it.
    ///
    /// # Errors
    /// [`Missing`] when Python is not installed.
    ///
    /// # Panics
    /// When it is and does not start.
    pub fn start() -> Result<Self, Missing> {
        Self::at(Site::here())
    }

    /// The same at this site; it listens on the first of its addresses.
    ///
    /// # Errors
    /// [`Missing`] when Python is not installed.
    ///
    /// # Panics
    /// When it does not start.
    pub fn at(site: Site<'_>) -> Result<Self, Missing> {
        let server = interpreted(site, &python()?, "server.py", PYTHON_SERVER, &User::named("www-data")?);
        Ok(Self { server })
    }
}

/// A server in Node.
#[derive(Debug)]
pub struct Node {
    /// The running server; its `exe` is the interpreter.
    pub server: Server,
}

const NODE_SERVER: &str = r#"
require("http")
  .createServer((request, response) => response.end(`${process.pid} ${request.socket.remotePort}\n`))
  .listen(Number(process.argv[2]), "127.0.0.1");
"#;

const NODE_CLIENT: &str = r#"
const socket = require("net").connect(Number(process.argv[2]), "127.0.0.1", () => {
  console.log(`${process.pid} ${socket.localPort}`);
  socket.end();
});
"#;

impl Node {
    /// Starts it.
    ///
    /// # Errors
    /// [`Missing`] when Node is not installed.
    ///
    /// # Panics
    /// When it is and does not start.
    pub fn start() -> Result<Self, Missing> {
        let server =
            interpreted(Site::here(), &Self::program()?, "server.js", NODE_SERVER, &User::named("www-data")?);
        Ok(Self { server })
    }

    /// The interpreter.
    ///
    /// # Errors
    /// [`Missing`] when Node is not installed.
    pub fn program() -> Result<PathBuf, Missing> {
        installed(&["/usr/bin/node"], "nodejs")
    }

    /// A client in Node that connects to `port`, prints `PID PORT` and leaves; the script lies in `dir`.
    ///
    /// # Errors
    /// [`Missing`] when Node is not installed.
    pub fn client(dir: &TempDir, port: u16) -> Result<Command, Missing> {
        let mut command = Command::new(Self::program()?);
        command.arg(dir.write("client.js", NODE_CLIENT)).arg(port.to_string());
        Ok(command)
    }
}

fn interpreted(site: Site<'_>, interpreter: &Path, name: &str, script: &str, user: &User) -> Server {
    let (dir, cgroup) = (TempDir::new(), Cgroup::service());
    let (place, netns) = (site.place().cgroup(&cgroup).user(user), site.netns());
    let Site { port, addresses, .. } = site;
    let mut command = Command::new(interpreter);
    command.arg(dir.write(name, script)).arg(port.to_string()).args(addresses.first());
    into_log(&mut command, &dir);
    let child = Child::start(command, place);
    let (exe, user) = (real(interpreter), user.clone());
    let mut server = Server { child, cgroup, port, exe, user, dir, end_signal: libc::SIGTERM };
    server.wait_until(|server| Site::is_listening(netns, server.port.number()));
    server
}

const PYTHON_CLIENT: &str = r#"
import os, socket, sys

source = (sys.argv[3], 0) if len(sys.argv) > 3 else None
connection = socket.create_connection((sys.argv[1], int(sys.argv[2])), source_address=source)
connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
response = b""
while part := connection.recv(4096):
    response += part
print(os.getpid(), connection.getsockname()[1])
print(response.split(b"\r\n\r\n")[-1].decode().strip())
"#;

/// Writes an HTTP client in Python into `dir`, executable through its first line, `#!/usr/bin/python3`. Its arguments
/// are host and port, and optionally the source address; it prints its own `PID PORT` and then the server's response.
///
/// # Errors
/// [`Missing`] when Python is not installed.
pub fn client_script(dir: &TempDir) -> Result<PathBuf, Missing> {
    let path = dir.join("client.py");
    // Never rewritten: a daemon that is behind may just be reading the first line for a client that has exited.
    if !path.exists() {
        dir.write("client.py", &format!("#!{}\n{PYTHON_CLIENT}", python()?.display()));
        crate::temp::set_mode(&path, 0o755);
    }
    Ok(path)
}
