//! The one HTTP client: a request out, an answer in, within bounds of time and size.
//!
//! HTTP/1.1 over TCP or TLS. Redirects are not followed, cookies not kept, nothing is repeated: what to do after a failure is
//! the caller's. Names are resolved for every new connection.

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use reqwest::header::{self, HeaderMap, HeaderName, HeaderValue};

use super::answer::{Answer, retry_after};
use super::verdict::Verdict;
use super::words::Words;
use crate::deliver::connect::REFUSES;
use crate::deliver::tls::{client_config, explain};
use crate::deliver::{ANSWER_MAX, Failure, secret};
use gdprport_core::delivery::{Auth, HeaderText, HttpSettings, HttpUrl, Proxy};

/// How a receiver takes a token: the word before it in `Authorization`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// RFC 6750 §2.1.
    Bearer,
    /// Splunk's HEC.
    Splunk,
    /// Elasticsearch and OpenSearch.
    ApiKey,
}

impl Scheme {
    const fn word(self) -> &'static str {
        match self {
            Self::Bearer => "Bearer",
            Self::Splunk => "Splunk",
            Self::ApiKey => "ApiKey",
        }
    }
}

/// A receiver, and the client that it is reached with while all is well.
#[derive(Debug)]
pub(crate) struct Receiver {
    settings: HttpSettings,
    scheme: Scheme,
    client: Option<Client>,
    words: Words,
    /// Whether it has taken an event since it last seemed to refuse all of them: then its settings are right, and what it refuses
    /// is an event's fault.
    pub proven: bool,
    /// What it said last, for people.
    pub said: Option<String>,
}

impl Receiver {
    /// The receiver of these settings. Nothing is read or connected yet.
    pub(crate) fn new(settings: HttpSettings, scheme: Scheme) -> Self {
        let words = Words::new(settings.url.shown(), &settings.auth, Vec::new());
        Self { settings, scheme, client: None, words, proven: false, said: None }
    }

    /// What sentences about it are made of.
    pub(crate) const fn words(&self) -> &Words {
        &self.words
    }

    /// The same, as if these secrets had been read.
    #[cfg(any(test, fuzzing))]
    pub(super) fn hiding(mut self, secrets: Vec<String>) -> Self {
        self.words = Words::new(self.settings.url.shown(), &self.settings.auth, secrets);
        self
    }

    /// How long a request may take.
    pub(crate) const fn timeout(&self) -> Duration {
        self.settings.timeout
    }

    /// Sends a request to an endpoint and reads the answer. Secrets and certificates are read before the first request and after a
    /// failure that new ones could mend, so that one that was replaced counts without a restart.
    ///
    /// # Errors
    /// There is no answer, or it is longer than `ANSWER_MAX`. No status is an error here.
    pub(crate) async fn post(&mut self, url: &HttpUrl, request: Request) -> Result<Answer, Failure> {
        let client = match self.client.take() {
            Some(client) => client,
            None => {
                let (client, words) = Client::open(&self.settings, self.scheme).await.map_err(|why| {
                    Failure { why: self.words.sentence(&why), after: None, too_large: false }
                })?;
                self.words = words;
                client
            }
        };
        let answer = client.post(url, request, &self.words).await;
        // Not kept either if this call is dropped while it waits.
        if answer.as_ref().is_ok_and(|answer| !matches!(answer.status, 401 | 403 | 407)) {
            self.client = Some(client);
        }
        answer
    }

    /// The same for a part of a batch: what the answer means, and what is said of it, are the caller's to judge.
    pub(crate) async fn ask(
        &mut self,
        url: &HttpUrl,
        request: Request,
        judge: impl FnOnce(&Answer, &Words) -> (Verdict, String),
    ) -> Verdict {
        match self.post(url, request).await {
            Ok(answer) => {
                let (verdict, said) = judge(&answer, &self.words);
                self.said = Some(said);
                verdict
            }
            Err(failure) => Verdict::Failed(failure),
        }
    }
}

/// What reaches a receiver, with its secrets.
#[derive(Debug)]
struct Client {
    inner: reqwest::Client,
    timeout: Duration,
}

/// A request.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// What the body is.
    pub content_type: &'static str,
    /// Headers of this request beside those that every one has.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Client {
    /// A client of the receiver that the settings name, with the secrets that they point to.
    ///
    /// # Errors
    /// One sentence: a secret or certificate that cannot be used, or settings that the library refuses.
    async fn open(settings: &HttpSettings, scheme: Scheme) -> Result<(Self, Words), String> {
        let mut hidden = Vec::new();
        let mut headers = HeaderMap::new();
        let mut add = |name: HeaderName, text: &str, key: &str| {
            let value = HeaderValue::from_str(text)
                .map_err(|_| format!("the secret of `{key}` has characters that no header can have"));
            value.map(|mut value| {
                value.set_sensitive(true);
                headers.insert(name, value);
            })
        };
        match &settings.auth {
            Auth::None => {}
            Auth::Token(place) => {
                let token = secret::text(place).await?;
                add(header::AUTHORIZATION, &format!("{} {token}", scheme.word()), "token")?;
                hidden.push(token);
            }
            Auth::Basic { user, password } => {
                let password = secret::text(password).await?;
                let both = base64(&format!("{user}:{password}"));
                add(header::AUTHORIZATION, &format!("Basic {both}"), "password")?;
                hidden.extend([both, password]);
            }
        }
        for (name, text) in &settings.headers {
            let key = HeaderName::from_bytes(name.0.as_bytes())
                .map_err(|_| format!("`{}` is no header", name.0))?;
            match text {
                HeaderText::Plain(text) => add(key, text, &name.0)?,
                HeaderText::Secret(place) => {
                    let secret = secret::text(place).await?;
                    add(key, &secret, &name.0)?;
                    hidden.push(secret);
                }
            }
        }
        let tls = if settings.url.is_https() { client_config(&settings.tls).await? } else { no_tls()? };
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .user_agent(concat!("gdprport/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .http1_only()
            .pool_max_idle_per_host(1)
            .pool_idle_timeout(Duration::from_secs(60))
            .connect_timeout(settings.connect_timeout)
            .timeout(settings.timeout)
            .default_headers(headers);
        match &settings.proxy {
            Proxy::None => builder = builder.no_proxy(),
            Proxy::Environment => {}
            Proxy::At { url, credentials } => {
                let mut proxy =
                    reqwest::Proxy::all(url.as_str()).map_err(|_| "`proxy` is no address".to_owned())?;
                if let Some(place) = credentials {
                    let both = secret::text(place).await?;
                    let Some((user, password)) = both.split_once(':') else {
                        return Err(
                            "the secret of `proxy_credentials` is not written as `user:password`".to_owned()
                        );
                    };
                    proxy = proxy.basic_auth(user, password);
                    hidden.extend([base64(&both), password.to_owned(), both]);
                }
                builder = builder.proxy(proxy);
            }
        }
        let inner = builder
            .build()
            .map_err(|error| format!("cannot make an HTTP client: {}", error.without_url()))?;
        let words = Words::new(settings.url.shown(), &settings.auth, hidden);
        Ok((Self { inner, timeout: settings.timeout }, words))
    }

    async fn post(&self, url: &HttpUrl, request: Request, words: &Words) -> Result<Answer, Failure> {
        let Request { content_type, headers, body } = request;
        let sent = self
            .inner
            .post(url.as_str())
            .headers(headers)
            .header(header::CONTENT_TYPE, content_type)
            .body(body)
            .send();
        let mut response = sent.await.map_err(|error| words.failure(&self.why(&error)))?;
        let text = |name: HeaderName| response.headers().get(name).and_then(|value| value.to_str().ok());
        let after = text(header::RETRY_AFTER)
            .and_then(|value| retry_after(value, text(header::DATE), SystemTime::now()));
        let kind = text(header::CONTENT_TYPE).unwrap_or_default();
        let mut answer = Answer {
            status: response.status().as_u16(),
            content_type: kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase(),
            after,
            location: text(header::LOCATION).map(|to| to.split('?').next().unwrap_or(to).to_owned()),
            body: Vec::new(),
        };
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if answer.body.len() + chunk.len() > ANSWER_MAX => {
                    let status = answer.status;
                    return Err(words.failure(&format!(
                        "answered {status} with more than {ANSWER_MAX} bytes, which are not read"
                    )));
                }
                Ok(Some(chunk)) => answer.body.extend_from_slice(&chunk),
                Ok(None) => return Ok(answer),
                Err(error) => {
                    let status = answer.status;
                    let why = if error.is_timeout() {
                        self.why(&error)
                    } else {
                        "and then the connection ended".to_owned()
                    };
                    return Err(words.failure(&format!("began an answer ({status}) {why}")));
                }
            }
        }
    }

    /// Why there is no answer.
    fn why(&self, error: &reqwest::Error) -> String {
        let causes = || causes(error);
        let io = causes().find_map(|cause| cause.downcast_ref::<io::Error>());
        let last = causes().last().map(ToString::to_string).unwrap_or_default();
        if let Some(tls) = explain(error) {
            return format!("cannot be reached safely: {tls}");
        }
        if causes().any(|cause| cause.to_string() == "dns error") {
            return format!("has a name that cannot be resolved: {last}");
        }
        if error.is_timeout() {
            return format!("did not answer within {}", humantime::format_duration(self.timeout));
        }
        match io.map(io::Error::kind) {
            Some(io::ErrorKind::ConnectionRefused) => REFUSES.to_owned(),
            Some(io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable) => {
                format!("cannot be reached: {last}")
            }
            Some(io::ErrorKind::TimedOut) => "does not accept a connection in time".to_owned(),
            _ if error.is_connect() => format!("cannot be reached: {last}"),
            _ => format!("gave no answer: {last}"),
        }
    }
}

fn causes<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| {
        let error: &'e (dyn Error + 'static) = *error;
        error.source()
    })
}

/// For addresses without TLS, where the library asks for a configuration all the same: it trusts nobody.
fn no_tls() -> Result<rustls::ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions =
        rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = versions.map_err(|error| format!("no TLS: {error}"))?;
    Ok(builder.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth())
}

fn base64(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}
