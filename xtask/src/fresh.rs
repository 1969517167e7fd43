//! `fresh`: proves the README. Bootstraps a bare Debian 12, gives it git, a Rust toolchain and a C compiler (which
//! every Rust toolchain links with) and nothing of ours, clones this checkout into it and types the README's
//! commands. All mounts live in a private mount namespace: whatever happens, they end with the process, and the
//! root can be removed without reaching through them.

use std::env;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{self, Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};

use crate::sh;
use crate::step::{note, short, step};

/// The clone's path in the new root.
const CLONE: &str = "root/gdprport";

/// Set for the part of this command that runs inside the private mount namespace.
const INSIDE: &str = "GDPRPORT_FRESH_INSIDE";

/// The programs that rustup proxies.
const PROXIES: [&str; 7] =
    ["cargo", "cargo-clippy", "cargo-fmt", "clippy-driver", "rustc", "rustdoc", "rustfmt"];

/// Ports of the built-in catalog: the daemon has to report a connection on the first that is free.
const PORTS: [u16; 4] = [5432, 3306, 6379, 27017];

/// For building the daemon and for its first report of a connection.
const TIMEOUT: Duration = Duration::from_secs(45 * 60);

/// Bootstraps the root, runs the commands and reports.
///
/// # Errors
/// Not root, or a step failed; the error names the kept logs.
pub(crate) fn run(dir: Option<PathBuf>, keep: bool) -> Result<()> {
    if let Some(root) = env::var_os(INSIDE) {
        return type_commands(Path::new(&root));
    }
    if !sh::is_root() {
        bail!("`fresh` needs root for debootstrap and mounts: run it again as root");
    }
    let root = dir.unwrap_or_else(|| env::temp_dir().join(format!("gdprport-fresh.{}", process::id())));
    if root.exists() {
        bail!("{} is there already: name a folder that is not", root.display());
    }
    let done = bootstrap(&root).and_then(|()| {
        let mut inside = Command::new("unshare");
        inside.args(["--mount", "--propagation", "slave", "--"]);
        inside.arg(env::current_exe().context("cannot find this program")?).arg("fresh").env(INSIDE, &root);
        let status = inside.status().context("cannot run unshare")?;
        // The inner process has printed the reason.
        if status.success() { Ok(()) } else { Err(anyhow!("the README's commands fail on a fresh machine")) }
    });
    if keep {
        note(format_args!("kept: {}", root.display()));
    } else if root.exists() {
        fs::remove_dir_all(&root).with_context(|| format!("cannot remove {}", root.display()))?;
    }
    done
}

/// A bare root with this machine's package sources, certificates and one toolchain, and a clone of this checkout.
fn bootstrap(root: &Path) -> Result<()> {
    step("debootstrap: a bare Debian 12 with git, gcc and certificates", || {
        let mut debootstrap = Command::new("debootstrap");
        debootstrap.arg("--include=git,ca-certificates,gcc,libc6-dev").arg("bookworm").arg(root);
        sh::quiet(&mut debootstrap)
            .context("`sudo apt-get install debootstrap` brings it where it is missing")?;
        Ok(((), root.display().to_string()))
    })?;
    step("this machine's registry settings and certificates", || {
        for place in [
            "etc/apt/apt.conf.d",
            "etc/apt/auth.conf.d",
            "etc/apt/keyrings",
            "etc/apt/preferences.d",
            "etc/apt/sources.list",
            "etc/apt/sources.list.d",
            "etc/apt/trusted.gpg",
            "etc/hosts",
            "etc/resolv.conf",
            "etc/ssl/certs/ca-certificates.crt",
        ] {
            copy(&Path::new("/").join(place), &root.join(place))?;
        }
        // Otherwise the bootstrap's own list would come in addition to the machine's.
        if !Path::new("/etc/apt/sources.list").exists() && Path::new("/etc/apt/sources.list.d").exists() {
            fs::remove_file(root.join("etc/apt/sources.list"))?;
        }
        copy(&cargo_home()?.join("config.toml"), &root.join("root/.cargo/config.toml"))?;
        Ok(((), "copied".into()))
    })?;
    step("the Rust toolchain, as rustup would install it", || {
        let name = toolchain_name()?;
        let bin = root.join("root/.cargo/bin");
        fs::create_dir_all(&bin)?;
        fs::copy(cargo_home()?.join("bin/rustup"), bin.join("rustup")).context("cannot copy rustup")?;
        for proxy in PROXIES {
            fs::hard_link(bin.join("rustup"), bin.join(proxy))?;
        }
        let toolchains = root.join("root/.rustup/toolchains");
        fs::create_dir_all(toolchains.join(&name))?;
        fs::write(
            root.join("root/.rustup/settings.toml"),
            format!("version = \"12\"\nprofile = \"minimal\"\ndefault_toolchain = \"{name}\"\n"),
        )?;
        Ok(((), name))
    })?;
    step("a clone of this checkout", || {
        if !sh::quiet(Command::new("git").args(["status", "--porcelain"]).current_dir(sh::workspace()))?
            .is_empty()
        {
            note("what is not committed is not in the clone");
        }
        let mut git = Command::new("git");
        git.args(["clone", "--quiet", "--no-hardlinks"]).arg(sh::workspace()).arg(root.join(CLONE));
        sh::quiet(&mut git)?;
        Ok(((), format!("/{CLONE}")))
    })
}

/// Runs inside the namespace: mounts, then the README's commands one after the other.
fn type_commands(root: &Path) -> Result<()> {
    // Programs that create namespaces rely on `/` being a mount.
    mount(&["--bind", &root.display().to_string()], root)?;
    mount(&["-t", "proc", "proc"], &root.join("proc"))?;
    for shared in ["sys", "dev"] {
        mount(&["--rbind", &format!("/{shared}")], &root.join(shared))?;
    }
    let name = toolchain_name()?;
    let toolchain = rustup_home()?.join("toolchains").join(&name);
    let place = root.join("root/.rustup/toolchains").join(&name);
    mount(&["--bind", "-o", "ro", &toolchain.display().to_string()], &place)?;

    let readme = fs::read_to_string(root.join(CLONE).join("README.md")).context("cannot read README.md")?;
    let typed = |begin: &str| {
        let line = readme.lines().map(|line| line.trim_start_matches("$ ").trim());
        line.into_iter()
            .find(|line| line.starts_with(begin))
            .ok_or_else(|| anyhow!("README.md shows no command that begins with `{begin}`"))
    };
    let logs = sh::target_dir().join("fresh");
    fs::create_dir_all(&logs)?;
    let run = typed("cargo xtask run")?;
    let test = typed("cargo xtask test")?;
    // The second is worth running even if the first failed.
    let results = [watch(root, run, &logs.join("run.log")), finish(root, test, &logs.join("test.log"))];
    let mut failed = false;
    for error in results.iter().filter_map(|result| result.as_ref().err()) {
        eprintln!("{error:#}");
        failed = true;
    }
    if failed { Err(anyhow!("the README's commands fail on a fresh machine")) } else { Ok(()) }
}

/// Runs the daemon's command, connects until the daemon reports the connection, and stops it with SIGINT.
fn watch(root: &Path, command: &str, log: &Path) -> Result<()> {
    step(&format!("`{command}` (output in {})", log.display()), || {
        let mut child = typed_in(root, command, log)?;
        let (listener, port) = listener()?;
        let begun = Instant::now();
        let seen = loop {
            if let Some(status) = child.try_wait()? {
                bail!(
                    "it ended ({status}) before it reported a connection; the end of its output:\n{}",
                    end(log)
                );
            }
            talk(&listener, port)?;
            // Only the daemon prints this program's name together with the port.
            if fs::read_to_string(log)?
                .lines()
                .any(|line| line.contains("xtask") && line.contains(&port.to_string()))
            {
                break begun.elapsed();
            }
            if begun.elapsed() > TIMEOUT {
                child.kill()?;
                bail!(
                    "it reported no connection within {}; the end of its output:\n{}",
                    short(TIMEOUT),
                    end(log)
                );
            }
            thread::sleep(Duration::from_secs(1));
        };
        sh::quiet(Command::new("kill").args(["-INT", &child.id().to_string()]))?;
        let status = child.wait()?;
        if !status.success() {
            bail!(
                "it reported a connection and then ended with {status}; the end of its output:\n{}",
                end(log)
            );
        }
        Ok(((), format!("reported a connection to port {port} after {}, ended cleanly", short(seen))))
    })
}

/// Runs a command to its end.
fn finish(root: &Path, command: &str, log: &Path) -> Result<()> {
    step(&format!("`{command}` (output in {})", log.display()), || {
        let status = typed_in(root, command, log)?.wait()?;
        let output = end(log);
        if !status.success() {
            bail!("it ended with {status}; the end of its output:\n{output}");
        }
        let summary = output.lines().rev().find(|line| line.contains(" passed, ")).unwrap_or("no summary");
        Ok(((), summary.to_owned()))
    })
}

/// `pivot_root` into the working directory. A chroot would not do: the kernel refuses user namespaces below one, and tests
/// create them.
const ENTER: &str = "mkdir -p .host && pivot_root . .host && cd / && umount -l /.host && rmdir /.host";

/// A command in the clone, with a newcomer's environment and this machine's proxy and registry settings.
fn typed_in(root: &Path, command: &str, log: &Path) -> Result<Child> {
    let output = fs::File::create(log).with_context(|| format!("cannot create {}", log.display()))?;
    let mut inside = Command::new("unshare");
    inside.args(["--mount", "--propagation", "private", "sh", "-c"]);
    inside.arg(format!("{ENTER} && cd /{CLONE} && exec {command}")).current_dir(root).env_clear();
    for (key, value) in env::vars_os() {
        let name = key.to_string_lossy();
        let is_passed_on = name.to_lowercase().ends_with("_proxy")
            || name.starts_with("SSL_CERT_")
            || name.starts_with("CARGO_HTTP_")
            || name.starts_with("CARGO_REGISTR")
            || name == "CURL_CA_BUNDLE";
        if is_passed_on {
            inside.env(key, value);
        }
    }
    inside
        .env("HOME", "/root")
        .env("LANG", "C.UTF-8")
        .env("PATH", "/root/.cargo/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        .spawn()
        .context("cannot run unshare")
}

/// A listener on the first port of the catalog that is free here.
fn listener() -> Result<(TcpListener, u16)> {
    PORTS
        .into_iter()
        .find_map(|port| Some((TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok()?, port)))
        .ok_or_else(|| anyhow!("the ports {PORTS:?} are all in use here"))
}

/// Makes one connection to ourselves and sends a few bytes.
fn talk(listener: &TcpListener, port: u16) -> Result<()> {
    let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    let (mut server, _) = listener.accept()?;
    client.write_all(b"hello")?;
    let mut received = [0; 5];
    server.read_exact(&mut received)?;
    Ok(())
}

/// The last lines of an output.
fn end(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}

fn mount(what: &[&str], place: &Path) -> Result<()> {
    fs::create_dir_all(place)?;
    sh::quiet(Command::new("mount").args(what).arg(place)).map(drop)
}

/// Copies a file or folder over, if it is here.
fn copy(from: &Path, to: &Path) -> Result<()> {
    if !from.exists() {
        return Ok(());
    }
    let parent = to.parent().context("has a parent")?;
    fs::create_dir_all(parent)?;
    sh::quiet(Command::new("cp").args(["-rL", "-T"]).arg(from).arg(to)).map(drop)
}

/// The name of the toolchain that builds this checkout.
fn toolchain_name() -> Result<String> {
    let mut rustup = Command::new("rustup");
    rustup.args(["show", "active-toolchain"]).current_dir(sh::workspace());
    let shown = sh::quiet(&mut rustup)?;
    shown.split_whitespace().next().map(str::to_owned).context("rustup names no active toolchain")
}

fn cargo_home() -> Result<PathBuf> {
    home("CARGO_HOME", ".cargo")
}

fn rustup_home() -> Result<PathBuf> {
    home("RUSTUP_HOME", ".rustup")
}

fn home(variable: &str, default: &str) -> Result<PathBuf> {
    env::var_os(variable)
        .map(PathBuf::from)
        .or_else(|| env::var_os("HOME").map(|home| Path::new(&home).join(default)))
        .with_context(|| format!("neither {variable} nor HOME is set"))
}
