//! Asking an authority: one request, and an answer that is verified before anybody uses it.

use bytes::Bytes;
use gdprport_core::delivery::TimestampSettings;
use gdprport_core::evidence::{ANSWER_BYTES_MAX, Authorities, Stamp, StampRequest, answered};
use jiff::Timestamp;
use reqwest::header::HeaderMap;

use crate::deliver::Failure;
use crate::deliver::http::{Receiver, Request, Scheme};
use crate::deliver::tls::pem;

/// An authority, and the connection to it.
#[derive(Debug)]
pub(super) struct Authority {
    settings: TimestampSettings,
    receiver: Receiver,
}

impl Authority {
    /// Nothing is read or connected yet.
    pub(super) fn new(settings: TimestampSettings) -> Self {
        let receiver = Receiver::new(settings.http.clone(), Scheme::Bearer);
        Self { settings, receiver }
    }

    /// Whose answers are trusted. Read anew each time, so that a file that was replaced counts without a restart.
    ///
    /// # Errors
    /// One sentence: what is wrong with the file of `ca`.
    pub(super) async fn trusted(&self) -> Result<Authorities, String> {
        let path = &self.settings.ca;
        let bytes = pem("ca", path).await?;
        Authorities::from_pem(&bytes).map_err(|why| format!("ca {}: {why}", path.display()))
    }

    /// Asks for a timestamp of a note; the answer comes with it, as it is kept.
    ///
    /// # Errors
    /// There is none, or it is not one of this note by an authority that is trusted.
    pub(super) async fn stamp(&mut self, note: &str) -> Result<(Stamp, Vec<u8>), Failure> {
        let failed = |why: String| Failure { why, after: None, too_large: false };
        let trusted = self.trusted().await.map_err(failed)?;
        let request = StampRequest::new(note.as_bytes(), random().map_err(failed)?);
        let sent = Request {
            content_type: "application/timestamp-query",
            headers: HeaderMap::new(),
            body: Bytes::from(request.der()),
        };
        let url = self.settings.http.url.clone();
        let answer = self.receiver.post(&url, sent).await?;
        let words = self.receiver.words();
        if !answer.is_success() {
            let what = format!("answered {}: look at `url`", answer.summary(words));
            return Err(Failure { after: answer.after, ..words.failure(&what) });
        }
        if answer.body.len() > ANSWER_BYTES_MAX {
            return Err(words.failure("answered with more bytes than a timestamp has: look at `url`"));
        }
        match answered(&request, &answer.body, &trusted, Timestamp::now()) {
            Ok(stamp) => Ok((stamp, answer.body)),
            Err(why) => Err(words.failure(&format!("answered, and its answer is not kept: {why}"))),
        }
    }
}

/// A number that nobody can know before.
fn random() -> Result<u64, String> {
    let mut bytes = [0; 8];
    match rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty()) {
        Ok(8) => Ok(u64::from_ne_bytes(bytes)),
        Ok(_) => Err("the kernel gave fewer random bytes than were asked for".to_owned()),
        Err(error) => Err(format!("no random number can be had: {error}")),
    }
}
