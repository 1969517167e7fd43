//! How connections are encrypted, as seen at both their ends, between real servers and clients. What goes over the wire
//! in unusual ways is in `posture_edges`.
//!
//! Each test prints its part of a table: case, end, what is expected, what was seen, and the evidence.

use gdprport_tests::child::Place;
use gdprport_tests::client::run;
use gdprport_tests::need;
use gdprport_tests::posture::{Expected, Table, USER_DATA, curl, demand, script};
use gdprport_tests::servers::{Dovecot, MariaDb, Nginx, OpenLdap, OpenSsl, Postfix, Postgres};
use gdprport_tests::temp::TempDir;
use gdprport_tests::tls;

const PLAIN: Expected = Expected::violation("plaintext", "", "plaintext");
const REFUSED: Expected = Expected::violation("starttls-refused", "", "tls-refused");
const UPGRADED_12: Expected = Expected::declared("starttls-upgraded", "1.2");
const UPGRADED_13: Expected = Expected::declared("starttls-upgraded", "1.3");
const TLS_12: Expected = Expected::declared("tls1.2", "1.2");
const TLS_13: Expected = Expected::declared("tls1.3", "1.3");

#[test]
fn postgres_is_seen_in_plaintext_refusing_and_upgraded() {
    let (bare, secure) = (need!(Postgres::start()), need!(Postgres::with_tls()));
    let (refusing, offering) = (bare.server.port.number(), secure.server.port.number());
    let mut table =
        Table::new(&[demand(&bare.server, "postgresql", "1.2"), demand(&secure.server, "postgresql", "1.3")]);
    let query = format!("select '{USER_DATA}'");
    let call = |postgres: &Postgres, settings: &[(&str, &str)]| {
        let mut command = postgres.client("127.0.0.1", &query);
        command.envs(settings.iter().copied());
        run(command, Place::default());
    };

    call(&bare, &[("PGSSLMODE", "disable")]);
    let without_asking = PLAIN.because("StartupMessage without SSLRequest");
    table.row("PostgreSQL without TLS, sslmode=disable", refusing, without_asking);
    call(&bare, &[("PGSSLMODE", "prefer")]);
    let went_on = REFUSED.because("SSLRequest refused by the server, the client went on in plaintext");
    table.row("PostgreSQL without TLS, sslmode=prefer", refusing, went_on);

    call(&secure, &[("PGSSLMODE", "disable")]);
    table.row("PostgreSQL with TLS, sslmode=disable", offering, without_asking);
    call(&secure, &[("PGSSLMODE", "require"), ("PGSSLMINPROTOCOLVERSION", "TLSv1.3")]);
    table.row(
        "PostgreSQL sslmode=require, at least 1.3",
        offering,
        UPGRADED_13.because("SSLRequest accepted"),
    );
    call(&secure, &[("PGSSLMODE", "require"), ("PGSSLMAXPROTOCOLVERSION", "TLSv1.2")]);
    let too_old = Expected::violation("starttls-upgraded", "1.2", "weak-tls");
    table.row("PostgreSQL sslmode=require, at most 1.2", offering, too_old.because("SSLRequest accepted"));
    // Direct TLS came with PostgreSQL 17; an older one does not offer it.
    if secure.version() >= 17 {
        call(&secure, &[("PGSSLMODE", "require"), ("PGSSLNEGOTIATION", "direct")]);
        table.row("PostgreSQL sslnegotiation=direct", offering, TLS_13);
    }

    // Both ends of the two connections, with their share.
    let posture = table.daemon.port_status(refusing)["posture"].clone();
    assert_eq!(posture, serde_json::json!({ "plaintext": 2, "starttls-refused": 2 }));
    let shown = String::from_utf8_lossy(&table.daemon.ask(["daemon", "status"]).stdout).into_owned();
    // The cell is wrapped where it has to be.
    let shown: String = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(shown.contains("ENCRYPTION") && shown.matches("(50%)").count() >= 1, "{shown}");
    table.finish();
}

#[test]
fn postgres_is_seen_with_the_tls_version_the_server_allows() {
    let (old, new) = (need!(Postgres::with_tls_only("TLSv1.2")), need!(Postgres::with_tls_only("TLSv1.3")));
    let mut table =
        Table::new(&[demand(&old.server, "postgresql", "1.2"), demand(&new.server, "postgresql", "1.3")]);
    for (postgres, expected, case) in [
        (&old, UPGRADED_12, "PostgreSQL, the server from 1.2 to 1.2"),
        (&new, UPGRADED_13, "PostgreSQL, the server from 1.3 to 1.3"),
    ] {
        let mut command = postgres.client("127.0.0.1", &format!("select '{USER_DATA}'"));
        run(
            {
                command.env("PGSSLMODE", "require");
                command
            },
            Place::default(),
        );
        table.row(case, postgres.server.port.number(), expected.because("SSLRequest accepted"));
    }
    table.finish();
}

#[test]
fn mariadb_is_seen_in_plaintext_and_upgraded() {
    let (bare, mariadb) = (need!(MariaDb::start()), need!(MariaDb::with_tls()));
    let port = mariadb.server.port.number();
    let mut table =
        Table::new(&[demand(&bare.server, "mysql", "1.2"), demand(&mariadb.server, "mysql", "1.2")]);
    let query = format!("select '{USER_DATA}'");
    let call = |options: &[&str]| {
        run(mariadb.client_with(options, "127.0.0.1", &query), Place::default());
    };
    run(bare.client("127.0.0.1", &query), Place::default());
    let not_offered = PLAIN.because("without CLIENT_SSL, which the server does not offer");
    table.row("MariaDB without TLS", bare.server.port.number(), not_offered);
    call(&["--skip-ssl"]);
    table.row("MariaDB --skip-ssl", port, PLAIN.because("without CLIENT_SSL, which the server offers"));
    call(&["--ssl", "--tls-version=TLSv1.2"]);
    table.row("MariaDB --ssl, 1.2", port, UPGRADED_12.because("CLIENT_SSL, then ServerHello: TLS 1.2"));
    call(&["--ssl", "--tls-version=TLSv1.3"]);
    table.row("MariaDB --ssl, 1.3", port, UPGRADED_13.because("CLIENT_SSL, then ServerHello: TLS 1.3"));
    table.finish();
}

#[test]
fn nginx_is_seen_with_its_tls_version_and_visible_details() {
    let (old, new) = (need!(Nginx::with_tls("TLSv1.2")), need!(Nginx::with_tls("TLSv1.3")));
    let (dir, http2) = (TempDir::new(), need!(Nginx::with_http2()));
    let mut table = Table::new(&[
        demand(&old.server, "", "1.2"),
        demand(&new.server, "", "1.3"),
        demand(&http2.server, "", "1.2"),
    ]);

    run(need!(curl(&dir, &old.server, "https", &[])), Place::default());
    table.row("nginx, 1.2 only", old.server.port.number(), TLS_12.because("ServerHello: TLS 1.2"));
    for direction in ["out", "in"] {
        let event = table.last("flow.close", direction);
        assert_eq!(event.text("posture.sni"), tls::NAME, "{}", event.line());
        assert_eq!(event.text("posture.certificate.subject"), tls::SUBJECT, "{}", event.line());
        assert_eq!(event.text("posture.certificate.issuer"), tls::ISSUER, "{}", event.line());
    }
    run(need!(curl(&dir, &new.server, "https", &[])), Place::default());
    table.row("nginx, 1.3 only", new.server.port.number(), TLS_13.because("ServerHello: TLS 1.3"));
    for direction in ["out", "in"] {
        let event = table.last("flow.close", direction);
        assert_eq!(event.text("posture.sni"), tls::NAME, "{}", event.line());
        assert!(event.at("posture.certificate").is_null(), "1.3 encrypts it: {}", event.line());
    }
    run(need!(curl(&dir, &http2.server, "http", &["--http2-prior-knowledge"])), Place::default());
    table.row("HTTP/2 in cleartext", http2.server.port.number(), PLAIN.because("HTTP/2 preface without TLS"));
    table.finish();
}

#[test]
fn a_retried_handshake_and_an_outdated_one_are_reported() {
    let retrying = need!(OpenSsl::start(&["-groups", "P-256"]));
    let outdated = need!(OpenSsl::start(&["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"]));
    let mut table = Table::new(&[demand(&retrying.server, "", "1.3"), demand(&outdated.server, "", "1.2")]);
    // The client guesses that the server takes the first of its groups.
    run(need!(retrying.client(&["-groups", "X25519:P-256"])), Place::default());
    let retried = TLS_13.because("HelloRetryRequest: TLS 1.3");
    table.row("s_server -groups P-256, guessed X25519", retrying.server.port.number(), retried);
    run(need!(outdated.client(&["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"])), Place::default());
    let weak = Expected::violation("weak-tls", "1.1", "weak-tls").because("an outdated version");
    table.row("s_server -tls1_1", outdated.server.port.number(), weak);
    table.finish();
}

/// As PostgreSQL does from version 17 on (`sslnegotiation=direct`): no request comes before the ClientHello.
#[test]
fn a_database_session_that_begins_with_tls_is_reported() {
    let direct = need!(OpenSsl::start(&["-alpn", "postgresql"]));
    let mut table = Table::new(&[demand(&direct.server, "postgresql", "1.3")]);
    run(need!(direct.client(&["-alpn", "postgresql"])), Place::default());
    table.row("direct TLS on PostgreSQL's port", direct.server.port.number(), TLS_13);
    let event = table.last("flow.close", "in");
    assert_eq!(*event.at("posture.alpn"), serde_json::json!(["postgresql"]), "{}", event.line());
    table.finish();
}

#[test]
fn openldap_is_seen_in_plaintext_refusing_and_upgraded() {
    let (bare, secure) = (need!(OpenLdap::start(USER_DATA)), need!(OpenLdap::with_tls(USER_DATA)));
    let (dir, port) = (TempDir::new(), secure.server.port.number());
    let mut table = Table::new(&[demand(&bare.server, "ldap", "1.2"), demand(&secure.server, "ldap", "1.3")]);
    run(secure.client(&dir, &[]), Place::default());
    table.row("OpenLDAP", port, PLAIN.because("LDAP simple bind without StartTLS"));
    run(secure.client(&dir, &["-ZZ"]), Place::default());
    table.row("OpenLDAP -ZZ", port, UPGRADED_13.because("LDAP StartTLS, then ServerHello: TLS 1.3"));
    run(bare.client(&dir, &["-Z"]), Place::default());
    let went_on = REFUSED.because("LDAP StartTLS refused by the server, the client went on in plaintext");
    table.row("OpenLDAP without TLS, -Z", bare.server.port.number(), went_on);
    table.finish();
}

const SMTP_CLIENT: &str = r#"
import smtplib, ssl, sys
_, port, authority, sender = sys.argv
session = smtplib.SMTP("127.0.0.1", int(port), local_hostname="client.gdprport.test")
session.ehlo()
if authority:
    session.starttls(context=ssl.create_default_context(cafile=authority))
    session.ehlo()
assert session.mail(sender)[0] == 250
session.quit()
"#;

#[test]
fn postfix_is_seen_in_plaintext_and_upgraded() {
    let (dir, postfix) = (TempDir::new(), need!(Postfix::start()));
    let (port, authority) = (postfix.server.port.number(), need!(tls::identity()).write_authority(&dir));
    let mut table = Table::new(&[demand(&postfix.server, "smtp", "1.3")]);
    let sender = format!("{USER_DATA}@gdprport.test");
    let call = |authority: &str| script(&dir, SMTP_CLIENT, &[&port.to_string(), authority, &sender]);
    run(need!(call("")), Place::default());
    table.row("Postfix", port, PLAIN.because("SMTP MAIL without STARTTLS"));
    run(need!(call(&authority.to_string_lossy())), Place::default());
    table.row("Postfix STARTTLS", port, UPGRADED_13.because("SMTP STARTTLS, then ServerHello: TLS 1.3"));
    table.finish();
}

const IMAP_CLIENT: &str = r#"
import imaplib, ssl, sys
_, port, authority, secret = sys.argv
session = imaplib.IMAP4("127.0.0.1", int(port))
if authority:
    session.starttls(ssl_context=ssl.create_default_context(cafile=authority))
try:
    session.login("alice", secret)
    raise SystemExit("the login was accepted")
except imaplib.IMAP4.error:
    session.logout()
"#;

#[test]
fn dovecot_is_seen_in_plaintext_and_upgraded() {
    let (dir, dovecot) = (TempDir::new(), need!(Dovecot::start()));
    let (port, authority) = (dovecot.server.port.number(), need!(tls::identity()).write_authority(&dir));
    let mut table = Table::new(&[demand(&dovecot.server, "imap", "1.3")]);
    let call = |authority: &str| script(&dir, IMAP_CLIENT, &[&port.to_string(), authority, USER_DATA]);
    run(need!(call("")), Place::default());
    table.row("Dovecot", port, PLAIN.because("IMAP LOGIN without STARTTLS"));
    run(need!(call(&authority.to_string_lossy())), Place::default());
    table.row("Dovecot STARTTLS", port, UPGRADED_13.because("IMAP STARTTLS, then ServerHello: TLS 1.3"));
    table.finish();
}
