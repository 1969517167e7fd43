//! What the server and the client promise to well-behaved users.

use gdprport_core::policy::Source;

use super::*;
use crate::control::api::TrialOrder;

#[tokio::test]
async fn a_follower_that_reads_gets_complete_lines() {
    let served = Served::start(Options::default());
    let mut events = served.client().events().await.expect("the daemon replies");
    for _ in 0..100 {
        let line = events.next().await.expect("an unbroken stream").expect("a line");
        serde_json::from_str::<serde_json::Value>(&line).expect("JSON");
    }
    drop(events);
    served.until(|counters| counters.followers == 0).await;
}

/// Others may read.
#[tokio::test]
async fn only_root_may_reload() {
    let served = Served::start(Options { peer: SOMEONE, ..Options::default() });
    let refused = served.client().reload().await.expect_err("not root").to_string();
    assert_eq!(
        refused,
        "only root may reload the policy and this is uid 1001: use `sudo gdprport daemon reload`"
    );
    assert_eq!(served.counters().await.forbidden, 1);
}

fn order() -> TrialOrder {
    let source = Source { name: "/etc/gdprport/policy.toml".to_owned(), text: "version = 1\n".to_owned() };
    TrialOrder { file: source.name.clone(), files: vec![source], confirm_within_s: 60 }
}

/// Neither may they learn what stands in its files.
#[tokio::test]
async fn only_root_may_read_try_and_take_back_a_policy() {
    let served = Served::start(Options { peer: SOMEONE, ..Options::default() });
    let client = served.client();
    let read = client.policy().await.expect_err("not root").to_string();
    let tried = client.try_out(&order()).await.expect_err("not root").to_string();
    let taken_back = client.revert().await.expect_err("not root").to_string();
    for refused in [read, tried, taken_back] {
        assert!(
            refused.starts_with("only root may ") && refused.contains("sudo gdprport policy "),
            "{refused}"
        );
    }
    assert_eq!(served.counters().await.forbidden, 3);
}

#[tokio::test]
async fn a_trial_that_cannot_be_is_refused_with_a_reason() {
    let served = Served::start(Options { peer: ROOT, ..Options::default() });
    let client = served.client();
    let reply = client.try_out(&order()).await.expect("a reply").value;
    assert_eq!(reply.digest, order().file, "it came as it was sent");
    let short = TrialOrder { confirm_within_s: 4, ..order() };
    let long = TrialOrder { confirm_within_s: 86_401, ..order() };
    let another = TrialOrder { file: "/etc/gdprport/policy.d/a.toml".to_owned(), ..order() };
    for (order, why) in
        [(short, "5 s to 86400 s"), (long, "5 s to 86400 s"), (another, "is not among the files")]
    {
        let refused = client.try_out(&order).await.expect_err("refused").to_string();
        assert!(refused.contains(why), "{refused}");
    }
    assert_eq!(client.policy().await.expect("a reply").value, samples::policy_text());
}

#[tokio::test]
async fn a_policy_with_problems_is_a_reply_with_all_of_them() {
    let served = Served::start(Options { peer: ROOT, ..Options::default() });
    let reply = served.client().reload().await.expect("a reply").value;
    assert_eq!(reply, samples::reload_refused());
    assert!(!ReloadReply::clone(&reply).applied);
}

#[tokio::test]
async fn every_reply_arrives_unchanged() {
    let served = Served::start(Options::default());
    let client = served.client();
    assert_eq!(client.doctor().await.expect("a reply").value, samples::doctor());
    let query = FlowQuery { port: Some("a port & more/é".to_owned()), violations: true, limit: 7 };
    let flows = client.flows(&query).await.expect("a reply").value;
    assert_eq!(&*flows.flows[0].port.name, "a port & more/é");
    assert_eq!((flows.matching, &flows.flows[1..]), (7, &samples::flows()[1..]));
    let all = samples::groups();
    assert_eq!(client.groups(&GroupQuery::default()).await.expect("a reply").value, all);
    let one = GroupQuery { group: Some(all.groups.rows[1].id), ..GroupQuery::default() };
    let one = client.groups(&one).await.expect("a reply").value.groups;
    assert_eq!(one.rows[..], all.groups.rows[1..2]);
    let status = client.status().await.expect("a reply").value.status;
    assert_eq!(status, crate::control::api::Status { control: status.control.clone(), ..samples::status() });
}

#[tokio::test]
async fn requests_that_make_no_sense_are_refused_with_a_reason() {
    let served = Served::start(Options::default());
    for (path, code, text) in [
        ("/v1/flows?limit=0", 400, "from 1 to"),
        ("/v1/flows?limit=999999999", 400, "from 1 to"),
        ("/v1/flows?colour=red", 400, "unknown field"),
        ("/v1/groups?limit=0", 400, "from 1 to"),
        ("/v1/groups?group=xyz", 400, "known are port=NAME|NUMBER"),
        ("/nothing", 404, "GET / lists"),
        ("/v1/reload", 405, "another method"),
    ] {
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        let reply = raw(&served.path(), request.as_bytes()).await;
        assert!(reply.starts_with(&format!("HTTP/1.1 {code} ")), "{path}: {reply}");
        assert!(reply.contains("{\"error\":") && reply.contains(text), "{path}: {reply}");
    }
}

#[tokio::test]
async fn a_second_daemon_is_refused_and_the_first_lives_on() {
    let served = Served::start(Options::default());
    let second = Server::bind(&served.path(), Options::default()).expect_err("taken").to_string();
    assert!(second.contains(&format!("(pid {}) already answers on", std::process::id())), "{second}");
    served.client().status().await.expect("the first replies");
}

/// And the path is free again.
#[tokio::test]
async fn after_the_end_the_client_explains_how_to_start() {
    let mut served = Served::start(Options::default());
    served.stop.take().expect("running").send(()).expect("running");
    (&mut served.server).await.expect("no panic");
    assert_eq!(std::fs::read_dir(served.dir.path()).expect("directory").count(), 0);
    let error = served.client().status().await.expect_err("nobody").to_string();
    assert_eq!(
        error,
        format!(
            "no daemon answers on {}: start it with `systemctl start gdprport` or `sudo gdprport daemon run`, \
             or name its socket with --socket",
            served.path().display()
        )
    );
}

#[tokio::test]
async fn something_else_that_listens_is_not_taken_for_a_daemon() {
    let dir = tempfile::tempdir().expect("directory");
    let path = dir.path().join("control.sock");
    let listener = std::os::unix::net::UnixListener::bind(&path).expect("a free path");
    let other = std::thread::spawn(move || {
        let (mut stream, _): (Blocking, _) = listener.accept().expect("a client");
        let _ = stream.read(&mut [0; 512]);
        let _ = stream.write_all(b"SSH-2.0-OpenSSH\r\n");
    });
    let error = ControlClient::new(&path).status().await.expect_err("not a daemon");
    assert!(matches!(error, ClientError::Garbled { .. }), "{error}");
    other.join().expect("no panic");
}

#[tokio::test]
async fn a_daemon_that_ends_meanwhile_is_not_something_else() {
    for begun in [&b""[..], b"HTTP/1.1 200 OK\r\ncontent-length: 90\r\n\r\n{\"health\""] {
        let dir = tempfile::tempdir().expect("directory");
        let path = dir.path().join("control.sock");
        let listener = std::os::unix::net::UnixListener::bind(&path).expect("a free path");
        let daemon = std::thread::spawn(move || {
            let (mut stream, _): (Blocking, _) = listener.accept().expect("a client");
            let _ = stream.read(&mut [0; 512]);
            let _ = stream.write_all(begun);
        });
        let error = ControlClient::new(&path).status().await.expect_err("it ended");
        assert!(matches!(error, ClientError::Ended(_)), "{error}");
        daemon.join().expect("no panic");
    }
}
