//! Parses the monitors' output: how many connections they report, and which processes they name. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::account::flows;
use super::audit;
use super::subject::Subject;

/// Which processes were at the ends of the connections, as they reported themselves.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Truth {
    /// The client's pid by its port. Two clients may have had the same port, with other addresses.
    pub(crate) clients: BTreeMap<u16, BTreeSet<u32>>,
    pub(crate) count: u64,
    pub(crate) client_exe: String,
    pub(crate) server: u32,
    pub(crate) server_exe: String,
}

/// How many ends were attributed to their own process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) clients: u64,
    pub(crate) server: u64,
}

/// What was reported about connections to `port`: events of the product, lines of the others.
#[must_use]
pub(crate) fn reported(subject: Subject, output: &str, port: u16) -> u64 {
    let lines: Box<dyn Iterator<Item = &str>> = match subject {
        Subject::Gdprport | Subject::Every => {
            let flows = flows(output.lines(), port);
            return flows.opened + flows.closed;
        }
        Subject::Floor | Subject::Hooks | Subject::HooksNoSkb => return 0,
        Subject::Tcplife | Subject::Bpftrace => {
            Box::new(output.lines().filter(move |line| row(subject, line).is_some_and(|row| row.is_on(port))))
        }
        Subject::Ss => Box::new(output.lines().filter(move |line| {
            line.split_whitespace().any(|word| word.strip_suffix(&format!(":{port}")).is_some())
        })),
        Subject::Conntrack => {
            Box::new(output.lines().filter(move |line| line.contains(&format!(" dport={port} "))))
        }
        Subject::Auditd => Box::new(output.lines().filter(|line| audit_call(line).is_some())),
    };
    lines.count() as u64
}

/// How many ends of short-lived connections to `port` are attributed to the right process.
#[must_use]
pub(crate) fn named(subject: Subject, output: &str, port: u16, truth: &Truth) -> Named {
    // By the last part of the executable's path, cut as the kernel cuts a command's name.
    let comm = |exe: &str| exe.rsplit('/').next().unwrap_or_default().chars().take(15).collect::<String>();
    let (client, server) = (comm(&truth.client_exe), comm(&truth.server_exe));
    let (mut clients, mut at_server) = (BTreeSet::new(), 0);
    for line in output.lines() {
        let row = match subject {
            Subject::Every => event(line),
            Subject::Tcplife | Subject::Bpftrace => row(subject, line),
            Subject::Auditd => audit_call(line),
            Subject::Gdprport
            | Subject::Floor
            | Subject::Hooks
            | Subject::HooksNoSkb
            | Subject::Ss
            | Subject::Conntrack => None,
        };
        let Some(row) = row else { continue };
        let is = |exe: &str, comm: &str| {
            if row.name.starts_with('/') { row.name == exe } else { row.name == comm }
        };
        let known = |at: u16, pid: u32| truth.clients.get(&at).is_some_and(|pids| pids.contains(&pid));
        if row.outgoing(port) {
            // auditd's record of the process has no ports.
            let proven = row.local == 0 || known(row.local, row.pid);
            if proven && is(&truth.client_exe, &client) {
                clients.insert(row.pid);
            }
        } else if row.is_on(port) && row.pid == truth.server && is(&truth.server_exe, &server) {
            at_server += 1;
        }
    }
    Named { clients: clients.len() as u64, server: u64::min(at_server, truth.count) }
}

/// One end of a connection and the process reported for it.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    pid: u32,
    /// A path if it begins with a slash, otherwise a command's name.
    name: String,
    /// Its port; 0 if not reported.
    local: u16,
    /// The peer's port; 0 if not reported.
    peer: u16,
    /// From the system call where there are no ports.
    connects: Option<bool>,
}

impl Row {
    fn is_on(&self, port: u16) -> bool {
        self.connects.is_some() || self.local == port || self.peer == port
    }

    fn outgoing(&self, port: u16) -> bool {
        self.connects.unwrap_or(self.peer == port)
    }
}

/// A `flow.close` of the product.
fn event(line: &str) -> Option<Row> {
    if !line.contains("\"kind\":\"flow.close\"") {
        return None;
    }
    let event: Value = serde_json::from_str(line).ok()?;
    let port = |end: &str| event["flow"][end]["port"].as_u64().and_then(|port| u16::try_from(port).ok());
    Some(Row {
        pid: u32::try_from(event["process"]["pid"].as_u64()?).ok()?,
        name: event["process"]["exe"].as_str()?.to_owned(),
        local: port("local")?,
        peer: port("peer")?,
        connects: None,
    })
}

/// A line of `tcplife` (PID COMM LADDR LPORT RADDR RPORT …) or of our script (pid comm port port).
fn row(subject: Subject, line: &str) -> Option<Row> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let (local, peer) = match subject {
        Subject::Tcplife => (fields.get(3)?, fields.get(5)?),
        _ => (fields.get(2)?, fields.get(3)?),
    };
    Some(Row {
        pid: fields.first()?.parse().ok()?,
        name: (*fields.get(1)?).to_owned(),
        local: local.parse().ok()?,
        peer: peer.parse().ok()?,
        connects: None,
    })
}

/// auditd's record of one of our successful calls (x86-64: connect is 42, accept 43, accept4 288).
fn audit_call(line: &str) -> Option<Row> {
    if !line.starts_with("type=SYSCALL ") || !line.contains(audit::KEY) || !line.contains(" success=yes ") {
        return None;
    }
    let field =
        |key: &str| line.split_whitespace().find_map(|word| word.strip_prefix(key)?.strip_prefix('='));
    Some(Row {
        pid: field("pid")?.parse().ok()?,
        name: field("exe")?.trim_matches('"').to_owned(),
        local: 0,
        peer: 0,
        connects: Some(field("syscall")? == "42"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn truth() -> Truth {
        Truth {
            clients: BTreeMap::from([(33_000, BTreeSet::from([7])), (33_001, BTreeSet::from([8]))]),
            count: 2,
            client_exe: "/opt/x/client-once".into(),
            server_exe: "/opt/x/gdprport-bench".into(),
            server: 5,
        }
    }

    #[test]
    fn tcplife_is_read_line_by_line() {
        let text = "PID     COMM  LADDR LPORT RADDR RPORT TX_KB RX_KB MS\n\
                    7 client-once 127.0.0.1 33000 127.0.0.3 47005 0.00 0.00 0.06\n\
                    8 other 127.0.0.1 33001 127.0.0.3 47005 0.00 0.00 0.06\n\
                    5 gdprport-bench 127.0.0.3 47005 127.0.0.1 33000 0.00 0.00 0.28\n\
                    0 swapper/0 127.0.0.3 47005 127.0.0.1 33001 0.00 0.00 0.28\n\
                    9 curl 127.0.0.3 47111 127.0.0.1 33001 0.00 0.00 0.28\n";
        assert_eq!(reported(Subject::Tcplife, text, 47_005), 4);
        assert_eq!(named(Subject::Tcplife, text, 47_005, &truth()), Named { clients: 1, server: 1 });
    }

    #[test]
    fn our_script_is_read_line_by_line() {
        let text = "7 client-once 33000 47005\n5 gdprport-bench 47005 33000\nwarning: lost 3 events\n";
        assert_eq!(reported(Subject::Bpftrace, text, 47_005), 2);
        assert_eq!(named(Subject::Bpftrace, text, 47_005, &truth()), Named { clients: 1, server: 1 });
    }

    #[test]
    fn events_count_by_port_and_name_executables() {
        let event = |kind: &str, pid: u32, exe: &str, local: u16, peer: u16| {
            format!(
                r#"{{"kind":"{kind}","port":{{"name":"x","number":47005,"protocol":null}},"flow":{{"local":{{"ip":"127.0.0.1","port":{local}}},"peer":{{"ip":"127.0.0.3","port":{peer}}}}},"process":{{"pid":{pid},"exe":"{exe}"}}}}"#
            )
        };
        let text = [
            event("flow.open", 7, "/opt/x/client-once", 33_000, 47_005),
            event("flow.close", 7, "/opt/x/client-once", 33_000, 47_005),
            event("flow.close", 5, "/opt/x/gdprport-bench", 47_005, 33_000),
            event("flow.close", 7, "/opt/x/client-once", 33_001, 47_005),
        ]
        .join("\n");
        assert_eq!(reported(Subject::Every, &text, 47_005), 4);
        assert_eq!(reported(Subject::Every, &text, 47_006), 0);
        assert_eq!(named(Subject::Every, &text, 47_005, &truth()), Named { clients: 1, server: 1 });
    }

    #[test]
    fn sockets_and_tracked_connections_count_by_port() {
        let ss = "State Recv-Q Send-Q Local Address:Port Peer Address:Port Process\n\
                  UNCONN 1 0 127.0.0.1:45572 127.0.0.1:47003\nUNCONN 1 0 127.0.0.1:47003 127.0.0.1:45572\n";
        assert_eq!(reported(Subject::Ss, ss, 47_003), 2);
        let tracked = "    [NEW] tcp      6 120 SYN_SENT src=127.0.0.1 dst=127.0.0.3 sport=33000 dport=47003 [UNREPLIED] src=…\n";
        assert_eq!(reported(Subject::Conntrack, tracked, 47_003), 1);
    }

    #[test]
    fn auditd_names_the_executable_of_each_call() {
        let text = r#"type=SYSCALL msg=audit(1.2:3): arch=c000003e syscall=42 success=yes exit=0 ppid=1 pid=7 comm="client-once" exe="/opt/x/client-once" key="gdprport-bench"
type=SOCKADDR msg=audit(1.2:3): saddr=0200B79D7F000001
type=SYSCALL msg=audit(1.2:4): arch=c000003e syscall=288 success=yes exit=4 ppid=1 pid=5 comm="gdprport-bench" exe="/opt/x/gdprport-bench" key="gdprport-bench"
type=SYSCALL msg=audit(1.2:5): arch=c000003e syscall=288 success=no exit=-11 ppid=1 pid=5 exe="/opt/x/gdprport-bench" key="gdprport-bench"
"#;
        assert_eq!(reported(Subject::Auditd, text, 47_005), 2);
        assert_eq!(named(Subject::Auditd, text, 47_005, &truth()), Named { clients: 1, server: 1 });
    }
}
