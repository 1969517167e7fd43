//! The examples for rsyslog and Vector.

use std::fs;
use std::io::Write as _;
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use gdprport_core::encode::Encoding;
use gdprport_core::event::samples;
use gdprport_tests::child::{Child, Place};
use gdprport_tests::need;
use gdprport_tests::ports::Port;
use gdprport_tests::skip::installed;
use gdprport_tests::temp::TempDir;
use gdprport_tests::wait::{until, within};

use crate::records::{document, record, run, text};

/// The example in a configuration of its own, with what it names in a directory of ours.
fn rsyslog(dir: &TempDir, example: &str) -> std::path::PathBuf {
    let at = dir.path().display().to_string();
    let example = example
        .replace("/etc/rsyslog.d/gdprport", &at)
        .replace("/var/log/gdprport-hosts", &format!("{at}/hosts"));
    let example = dir.write("example.conf", &example);
    let main = format!(
        "global(workDirectory=\"{at}\")\ninclude(file=\"{}\" mode=\"required\")\n",
        example.display()
    );
    dir.write("rsyslog.conf", &main)
}

#[test]
fn rsyslog_accepts_the_example() {
    let program = need!(installed(&["/usr/sbin/rsyslogd"], "rsyslog"));
    let library = format!("/usr/lib/{}-linux-gnu/rsyslog/lmnsd_ossl.so", std::env::consts::ARCH);
    need!(installed(&[library.as_str()], "rsyslog-openssl"));
    let dir = TempDir::new();
    for name in ["ca.pem", "server.pem", "server.key"] {
        dir.write(name, "");
    }
    let config = rsyslog(&dir, &text("rsyslog/gdprport.conf"));
    run(Command::new(program).arg("-N1").arg("-f").arg(config));
}

/// Without its TLS, which the transport's own tests prove with rsyslog.
#[test]
fn rsyslog_writes_our_lines_as_they_are() {
    let program = need!(installed(&["/usr/sbin/rsyslogd"], "rsyslog"));
    let (dir, port) = (TempDir::new(), Port::free());
    let is_tls = |line: &str| {
        ["defaultNetstream", "streamDriver", "permittedPeer"].iter().any(|key| line.contains(key))
    };
    let plain: String = text("rsyslog/gdprport.conf")
        .lines()
        .filter(|line| !is_tls(line))
        .map(|line| format!("{line}\n"))
        .collect();
    let config =
        rsyslog(&dir, &plain.replace("port=\"6514\"", &format!("address=\"127.0.0.1\" port=\"{port}\"")));
    let mut command = Command::new(program);
    command.arg("-n").arg("-f").arg(config).arg("-i").arg(dir.join("pid"));
    let _running = Child::start(command, Place::default());
    let connect = || TcpStream::connect(("127.0.0.1", port.number())).ok();
    let mut stream = within(Duration::from_secs(30), "rsyslog listens", connect);
    let mut expected = String::new();
    for event in samples::events() {
        for encoding in [Encoding::Native, Encoding::Cef, Encoding::Ocsf] {
            let record = record(encoding, &event);
            let header = format!("<86>1 {:.6} db-1 gdprport 812 {} - ", event.time, event.body.kind());
            write!(stream, "{} {header}{record}", header.len() + record.len()).expect("rsyslog reads");
            expected += &record;
            expected.push('\n');
        }
    }
    drop(stream);
    let written = || fs::read_to_string(Path::new(&dir.join("hosts/127.0.0.1.log"))).unwrap_or_default();
    until("every line is written", || written().len() >= expected.len());
    assert!(written() == expected, "{}", written());
}

#[test]
fn the_example_for_vector_names_what_our_documents_have() {
    let config: toml::Table = text("vector/gdprport.toml").parse().expect("TOML");
    let sink = &config["sinks"]["elastic"];
    assert_eq!(sink["inputs"][0].as_str(), Some("gdprport"));
    assert!(config["sources"].get("gdprport").is_some() && config.get("transforms").is_none());
    for event in samples::events() {
        let document = document(&event);
        let key = sink["id_key"].as_str().expect("a text");
        let id = key.split('.').fold(&document, |value, part| &value[part]);
        assert_eq!(id.as_str(), Some(&*event.id.to_string()));
        for part in ["type", "dataset", "namespace"] {
            assert!(document["data_stream"][part].is_string(), "auto_routing asks for it");
        }
    }
}
