//! The client's side of TLS: what is trusted, what this host shows, and the handshake.
//!
//! TLS 1.2 at least, ring, the system's authorities unless a file names others. Nothing here can switch verification off.

use std::io;
use std::path::Path;
use std::sync::Arc;

use gdprport_core::delivery::{ServerName, TlsSettings};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{self, CertificateDer, PrivateKeyDer, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::meaning::{explain, shown};
use crate::deliver::secret::{self, FILES_WITHIN};
use crate::host::configured::{self, apart};

/// Bytes of a file with certificates that are read: Debian's bundle of all authorities has a fifth of it.
const PEM_MAX: u64 = 1 << 20;

/// Makes a client's configuration. Reads its files each time, so that a renewed certificate counts from the next connection on;
/// each is read apart, and a file system that hangs is left after [`FILES_WITHIN`].
///
/// # Errors
/// One sentence: which file or key is wrong, and how.
pub(crate) async fn client_config(settings: &TlsSettings) -> Result<ClientConfig, String> {
    let provider = Arc::new(default_provider());
    let roots = Arc::new(roots(settings).await?);
    let verifier = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider))
        .build()
        .map_err(|error| format!("the trusted authorities cannot be used: {error}"))?;
    let verifier: Arc<dyn ServerCertVerifier> = match &settings.server_name {
        Some(name) => Arc::new(Named { name: server_name(name)?, verifier }),
        None => verifier,
    };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS cannot be used: {error}"))?
        // Despite its name this replaces nothing: `Named` only decides which name is verified.
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    Ok(match &settings.client {
        None => builder.with_no_client_auth(),
        Some(client) => {
            let path = client.certificate.display();
            let chain = certificates("client_cert", &client.certificate).await?;
            let key = secret::read(&client.key).await.map_err(|error| format!("client_key: {error}"))?;
            let key = PrivateKeyDer::from_pem_slice(key.bytes()).map_err(|_| {
                "client_key: there is no private key in PEM that can be read (PKCS #8, PKCS #1 or SEC 1, without a \
                 passphrase)"
            })?;
            builder.with_client_auth_cert(chain, key).map_err(|error| match error {
                rustls::Error::InconsistentKeys(_) => {
                    format!("client_key is not the private key of client_cert {path}")
                }
                error => {
                    format!("client_cert {path} or client_key cannot be used: {}", shown(&error.to_string()))
                }
            })?
        }
    })
}

/// Who is trusted: the authorities of `ca`, or those of the system, found where distributions have them (or where
/// `SSL_CERT_FILE` and `SSL_CERT_DIR` say).
async fn roots(settings: &TlsSettings) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    if let Some(path) = &settings.ca {
        for certificate in certificates("ca", path).await? {
            roots
                .add(certificate)
                .map_err(|error| format!("ca {}: a certificate cannot be used: {error}", path.display()))?;
        }
        return Ok(roots);
    }
    let what = "the authorities that this system trusts";
    let found = apart(what, FILES_WITHIN, rustls_native_certs::load_native_certs).await;
    let found = found.map_err(|late| format!("{what} cannot be read: {}", io::Error::from(late)))?;
    // The system's own bundle may have some that rustls does not take; those are nobody's mistake.
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let help = "install the package ca-certificates, or name a file in `ca`";
        return Err(format!("this system trusts no authority: {help}"));
    }
    Ok(roots)
}

/// The certificates of the file of a key, at least one.
async fn certificates(key: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let bytes = pem(key, path).await?;
    parsed(&bytes).map_err(|why| format!("{key} {}: {why}", path.display()))
}

/// The bytes of the file of a key that certificates are in.
///
/// # Errors
/// One sentence: it cannot be read, or is too long for one.
pub(crate) async fn pem(key: &str, path: &Path) -> Result<Vec<u8>, String> {
    let what = format!("{key} {}", path.display());
    let file = path.to_owned();
    let read = apart(&what, FILES_WITHIN, move || configured::read(&file, PEM_MAX + 1)).await;
    match read.unwrap_or_else(|late| Err(late.into())) {
        Ok(bytes) if bytes.len() as u64 > PEM_MAX => {
            Err(format!("{what}: it has more than the {PEM_MAX} bytes that are read"))
        }
        Ok(bytes) => Ok(bytes),
        Err(error) => Err(format!("{what}: {error}")),
    }
}

fn parsed(bytes: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(bytes).collect();
    match all {
        Ok(all) if all.is_empty() => Err("there is no certificate in it, in PEM".to_owned()),
        Ok(all) => Ok(all),
        Err(_) => Err("it is no PEM that can be read".to_owned()),
    }
}

/// The name in the form of rustls.
fn server_name(name: &ServerName) -> Result<pki_types::ServerName<'static>, String> {
    pki_types::ServerName::try_from(name.0.to_string())
        .map_err(|_| format!("{} is no name for a certificate", name.0))
}

/// Verifies a certificate as always, against the configured name: clients of HTTP and others only know the one of the address.
#[derive(Debug)]
struct Named {
    name: pki_types::ServerName<'static>,
    verifier: Arc<WebPkiServerVerifier>,
}

impl ServerCertVerifier for Named {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &pki_types::ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.verifier.verify_server_cert(end_entity, intermediates, &self.name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}

/// Shakes hands over a connection. Waits as long as the peer does; the caller bounds it.
///
/// # Errors
/// One sentence about the receiver, without its address.
pub(crate) async fn handshake<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    config: Arc<ClientConfig>,
    name: &ServerName,
) -> Result<TlsStream<S>, String> {
    let name = server_name(name)?;
    TlsConnector::from(config).connect(name, stream).await.map_err(|error| {
        explain(&error).unwrap_or_else(|| match error.kind() {
            io::ErrorKind::UnexpectedEof => {
                "it closed the connection during the TLS handshake: is this the port for TLS?".to_owned()
            }
            _ => format!("the TLS handshake failed: {error}"),
        })
    })
}
