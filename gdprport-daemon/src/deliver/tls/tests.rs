//! Against real servers of OpenSSL: who is trusted, who is not, and the sentence that says why.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use gdprport_core::delivery::{ClientCertificate, SecretRef, ServerName, TlsSettings};
use gdprport_tests::authority::{Authority, Issued, Valid};
use gdprport_tests::need;
use gdprport_tests::receivers::SServer;
use gdprport_tests::skip::Missing;
use gdprport_tests::temp::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::{client_config, explain, handshake};

const NAME: &str = "siem.example";

static AUTHORITY: LazyLock<Result<Authority, Missing>> = LazyLock::new(|| Authority::new("ours"));
static GOOD: LazyLock<Option<Issued>> = LazyLock::new(|| {
    let authority = AUTHORITY.as_ref().ok()?;
    Some(authority.issue("good", &[&format!("DNS:{NAME}"), "DNS:other.example", "IP:127.0.0.1"], Valid::Now))
});

fn authority() -> Result<(&'static Authority, &'static Issued), Missing> {
    let authority = AUTHORITY.as_ref().map_err(Clone::clone)?;
    Ok((authority, GOOD.as_ref().expect("there is an authority")))
}

fn trusting(authority: &Authority) -> TlsSettings {
    TlsSettings { ca: Some(authority.file()), ..TlsSettings::default() }
}

fn showing(settings: TlsSettings, issued: &Issued) -> TlsSettings {
    let key = SecretRef::File(issued.key.clone());
    TlsSettings {
        client: Some(ClientCertificate { certificate: issued.certificate.clone(), key }),
        ..settings
    }
}

/// Connects by a name and reads until the server speaks or refuses; the alert about a client's certificate comes only then.
async fn connect_as(port: u16, name: &str, settings: &TlsSettings) -> Result<(), String> {
    let config = Arc::new(client_config(settings).await?);
    let stream = TcpStream::connect(("127.0.0.1", port)).await.expect("it listens");
    let name = ServerName::parse(name).expect("a name");
    let mut tls = handshake(stream, config, &name).await?;
    tls.write_all(b"hello\n").await.map_err(|error| explain(&error).unwrap_or(error.to_string()))?;
    match tokio::time::timeout(Duration::from_millis(200), tls.read(&mut [0; 16])).await {
        Ok(Err(error)) => Err(explain(&error).unwrap_or(error.to_string())),
        _ => Ok(()),
    }
}

async fn connect(port: u16, settings: &TlsSettings) -> Result<(), String> {
    connect_as(port, NAME, settings).await
}

#[tokio::test]
async fn a_receiver_that_proves_who_it_is_is_trusted() {
    let (authority, good) = need!(authority());
    for version in ["-tls1_3", "-tls1_2"] {
        let server = need!(SServer::start(good, &[version]));
        assert_eq!(connect(server.port(), &trusting(authority)).await, Ok(()), "{version}");
        assert_eq!(connect_as(server.port(), "127.0.0.1", &trusting(authority)).await, Ok(()));
    }
}

#[tokio::test]
async fn another_name_is_refused_with_the_names_it_has() {
    let (authority, good) = need!(authority());
    let server = need!(SServer::start(good, &[]));
    let error = connect_as(server.port(), "wrong.example", &trusting(authority)).await;
    let names = "siem.example, other.example, 127.0.0.1";
    let why = format!(
        "its certificate is for {names}, not for wrong.example: correct the address, or set `server_name`"
    );
    assert_eq!(error, Err(why));
    // What is configured counts, not the address.
    let named = TlsSettings { server_name: ServerName::parse("other.example"), ..trusting(authority) };
    assert_eq!(connect_as(server.port(), "wrong.example", &named).await, Ok(()));
    let named = TlsSettings { server_name: ServerName::parse("wrong.example"), ..trusting(authority) };
    assert!(
        connect(server.port(), &named).await.expect_err("another name").contains("not for wrong.example")
    );
}

#[tokio::test]
async fn a_certificate_out_of_its_time_is_refused() {
    let (authority, _) = need!(authority());
    for (valid, why) in [
        (Valid::Past, "its certificate expired at 2024-02-01T00:00:00Z (the clock here says 20"),
        (Valid::Future, "its certificate is valid from 2090-01-01T00:00:00Z on (the clock here says 20"),
    ] {
        let issued = authority.issue(&format!("{valid:?}"), &["DNS:siem.example"], valid);
        let server = need!(SServer::start(&issued, &[]));
        let error = connect(server.port(), &trusting(authority)).await.expect_err("out of its time");
        assert!(error.starts_with(why), "{error}");
    }
}

#[tokio::test]
async fn an_authority_that_is_not_trusted_is_refused() {
    let (_, good) = need!(authority());
    let stranger = need!(Authority::new("stranger"));
    let server = need!(SServer::start(good, &[]));
    let why =
        "its certificate is from an authority that is not trusted here: name that authority's file in `ca`";
    assert_eq!(connect(server.port(), &trusting(&stranger)).await, Err(why.to_owned()));
    let namesake = need!(Authority::new("ours"));
    let error = connect(server.port(), &trusting(&namesake)).await.expect_err("another key");
    assert!(
        error.starts_with("its certificate has a signature that is wrong: is the authority in `ca`"),
        "{error}"
    );
    // Nor does the system's trust help it, where there is any.
    let error = connect(server.port(), &TlsSettings::default()).await.expect_err("nobody knows it");
    assert!(error == why || error.starts_with("this system trusts no authority"), "{error}");
}

#[tokio::test]
async fn a_version_before_tls_1_2_is_refused() {
    let (authority, good) = need!(authority());
    let server = need!(SServer::start(good, &["-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"]));
    assert_eq!(
        connect(server.port(), &trusting(authority)).await,
        Err("it has no version of TLS from 1.2 on".to_owned())
    );
}

#[tokio::test]
async fn what_is_no_tls_server_is_said_to_be_none() {
    let (authority, _) = need!(authority());
    for (answer, why) in [
        (&b"220 mail.example ESMTP\r\n"[..], "it does not speak TLS on this port"),
        (b"", "it closed the connection during the TLS handshake: is this the port for TLS?"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a client");
            // All of the hello, or closing would be a reset.
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(answer).await;
        });
        assert_eq!(connect(port, &trusting(authority)).await, Err(why.to_owned()));
    }
}

#[tokio::test]
async fn a_receiver_that_asks_who_we_are_is_answered() {
    let (authority, good) = need!(authority());
    let ours = authority.issue("client", &["DNS:client.example"], Valid::Now);
    let ca = authority.file();
    let ca = ca.to_str().expect("a path");
    for version in ["-tls1_3", "-tls1_2"] {
        let server =
            need!(SServer::start(good, &[version, "-Verify", "1", "-verify_return_error", "-CAfile", ca]));
        let settings = showing(trusting(authority), &ours);
        assert_eq!(connect_as(server.port(), NAME, &settings).await, Ok(()), "{version}");
        let error = connect(server.port(), &trusting(authority)).await.expect_err("no certificate");
        assert!(error.contains("`client_cert`"), "{version}: {error}");
        let unknown = need!(Authority::new("stranger"));
        let stranger = unknown.issue("client", &["DNS:client.example"], Valid::Now);
        let settings = showing(trusting(authority), &stranger);
        let error = connect_as(server.port(), NAME, &settings).await.expect_err("unknown");
        assert!(error.starts_with("it does not accept the certificate of this host"), "{version}: {error}");
    }
}

#[tokio::test]
async fn files_that_are_wrong_are_named_with_what_is_wrong() {
    let (authority, good) = need!(authority());
    let dir = TempDir::new();
    let at = |path| TlsSettings { ca: Some(path), ..TlsSettings::default() };
    let of = async |settings: &TlsSettings| client_config(settings).await.expect_err("wrong");
    let gone = dir.join("gone");
    let why = of(&at(gone.clone())).await;
    assert_eq!(why, format!("ca {}: No such file or directory (os error 2)", gone.display()));
    let text = dir.write("text", "no certificate\n");
    let why = of(&at(text.clone())).await;
    assert_eq!(why, format!("ca {}: there is no certificate in it, in PEM", text.display()));
    let torn = dir.write("torn", "-----BEGIN CERTIFICATE-----\n$$$\n-----END CERTIFICATE-----\n");
    assert_eq!(of(&at(torn.clone())).await, format!("ca {}: it is no PEM that can be read", torn.display()));
    assert!(of(&at(dir.path().to_owned())).await.ends_with("it is a directory, not a regular file"));

    let with_key = |key: PathBuf| {
        let key = SecretRef::File(key);
        let client = ClientCertificate { certificate: good.certificate.clone(), key };
        TlsSettings { client: Some(client), ..trusting(authority) }
    };
    let why = of(&with_key(gone.clone())).await;
    assert!(why.starts_with(&format!("client_key: cannot read the secret file:{}", gone.display())), "{why}");
    let secret = dir.write("secret", "hunter2\n");
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).expect("mode");
    let why = of(&with_key(secret)).await;
    assert!(why.starts_with("client_key: there is no private key in PEM"), "{why}");
    assert!(!why.contains("hunter2"), "what was read there is not repeated");
    let other = authority.issue("other", &["DNS:other.example"], Valid::Now);
    let why = of(&with_key(other.key)).await;
    assert_eq!(
        why,
        format!("client_key is not the private key of client_cert {}", good.certificate.display())
    );
}

#[test]
fn a_tls_error_is_found_behind_others() {
    let cause = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
    let inner = std::io::Error::other(cause);
    let outer = std::io::Error::other(inner);
    assert!(explain(&outer).is_some_and(|why| why.contains("not trusted here")));
    assert_eq!(explain(&std::io::Error::other("plain")), None);
}
