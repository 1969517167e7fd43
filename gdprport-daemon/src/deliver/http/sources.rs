//! Where secrets and certificates come from, as text and sentences.

use crate::deliver::tls::client_config;
use crate::deliver::{Secret, secret};
use gdprport_core::delivery::{SecretRef, TlsSettings};

/// The secret at a place, as text.
///
/// # Errors
/// One sentence without any of it.
pub(super) fn text(place: &SecretRef) -> Result<String, String> {
    let secret = read(place)?;
    secret.text().map(str::to_owned).map_err(|_| format!("the secret {place} is no text"))
}

fn read(place: &SecretRef) -> Result<Secret, String> {
    secret::read(place).map_err(|error| error.to_string())
}

/// How TLS is spoken with the receiver.
///
/// # Errors
/// One sentence about a file that cannot be used.
pub(super) fn tls(settings: &TlsSettings) -> Result<rustls::ClientConfig, String> {
    let key = settings.client.as_ref().map(|client| read(&client.key)).transpose()?;
    client_config(settings, key.as_ref().map(Secret::bytes), &[])
}
