//! What the transports over HTTP have in common, as it is written: address, TLS, proxy, credentials, headers, time limits.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator};

use super::header::{HeaderName, HeaderText};
use super::servers::user_and_password;
use super::tls::TlsKeys;
use super::url::HttpUrl;
use super::{SecretRef, TlsSettings};
use crate::written::{At, Loc, Named, Node, Period, Read, Report, Text, quoted, schema};

/// How a receiver is reached over HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpSettings {
    /// Where it is.
    pub url: HttpUrl,
    /// How the connection is secured, if it is `https`.
    pub tls: TlsSettings,
    /// What stands between.
    pub proxy: Proxy,
    /// Who this host says that it is.
    pub auth: Auth,
    /// Further headers of every request.
    pub headers: Vec<(HeaderName, HeaderText)>,
    /// How long a request may take, from connecting to the last byte of its answer.
    pub timeout: Duration,
    /// How long connecting may take, with TLS.
    pub connect_timeout: Duration,
}

/// What stands between this host and a receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proxy {
    /// Nothing, whatever the environment says: a service that inherits a variable by chance must not send elsewhere.
    None,
    /// What `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` say.
    Environment,
    /// This one, for every request (CONNECT for `https`).
    At {
        /// Where it is.
        url: HttpUrl,
        /// The place of `user:password`, if it asks for them (basic authentication).
        credentials: Option<SecretRef>,
    },
}

/// Who this host says that it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Auth {
    /// Nobody.
    None,
    /// Whoever has this token or key; how it is sent depends on the receiver (`Bearer`, `Splunk`, `ApiKey`).
    Token(SecretRef),
    /// A user with a password (basic authentication, RFC 7617).
    Basic {
        /// The user.
        user: Arc<str>,
        /// Where the password is.
        password: SecretRef,
    },
}

impl Auth {
    /// The keys of the sink that it is written with, for messages.
    #[must_use]
    pub const fn keys(&self) -> &'static str {
        match self {
            Self::None => "`token`, or `user` and `password`: the sink has none",
            Self::Token(_) => "the sink's `token`",
            Self::Basic { .. } => "the sink's `user` and `password`",
        }
    }
}

#[derive(Debug)]
pub(crate) enum ProxyText {
    None,
    Environment,
    At(HttpUrl),
}

schema!(
    ProxyText,
    schemars::json_schema!({ "type": "string", "examples": ["http://proxy.example.org:3128", "environment", "none"] })
);

impl Read for ProxyText {
    fn read(node: Node<'_>, report: &mut Report<'_>) -> Option<Self> {
        let text = Text::read(node, report)?;
        match &*text {
            "none" => return Some(Self::None),
            "environment" => return Some(Self::Environment),
            _ => {}
        }
        let url = HttpUrl::parse(&text).and_then(|url| {
            if url.is_https() { Err("a proxy is reached with `http://`") } else { Ok(Self::At(url)) }
        });
        match url {
            Ok(proxy) => Some(proxy),
            Err(why) => {
                let help = "write `\"http://proxy.example.org:3128\"`, `\"environment\"` or `\"none\"`; a name and password of \
                            the proxy go into `proxy_credentials`";
                // Somebody may have written a password: the line is not shown either.
                if text.contains('@') {
                    report.error_unquoted(node.loc, why, help.to_owned());
                } else {
                    report.error(node.loc, format!("{}: {why}", quoted(&text)), help.to_owned());
                }
                None
            }
        }
    }
}

/// How long a request may take, unless the sink says otherwise.
const TIMEOUT: Duration = Duration::from_secs(30);

/// How long connecting may take, unless the sink says otherwise.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Headers that a sink may add.
const HEADERS_MAX: usize = 16;

/// A sink with a problem in one of these is not made: what the others mean depends on them.
const FAULTLESS: [&str; 8] =
    ["proxy", "proxy_credentials", "token", "user", "password", "headers", "timeout", "connect_timeout"];

/// The keys, each as it is written.
#[derive(Debug)]
pub(crate) struct HttpKeys {
    pub url: Option<At<HttpUrl>>,
    pub tls: TlsKeys,
    pub proxy: Option<At<ProxyText>>,
    pub proxy_credentials: Option<At<SecretRef>>,
    pub token: Option<At<SecretRef>>,
    pub user: Option<At<Text>>,
    pub password: Option<At<SecretRef>>,
    pub headers: Option<At<Named<HeaderText>>>,
    pub timeout: Option<At<Period>>,
    pub connect_timeout: Option<At<Period>>,
}

/// A table of `tables!` with the keys that all receivers over HTTP have and some of its own, and `shared`, which takes the former
/// out of it. The caller imports what `tables!` asks for, `Text`, `Named` and what the types of its own keys are.
macro_rules! over_http {
    (
        $(#[doc = $doc:literal])*
        $what:literal => struct $name:ident as $title:literal {
            url = $hint:literal,
            $($(#[$meta:meta])* $key:ident: $type:ty,)*
        }
    ) => {
        tables! {
            $(#[doc = $doc])*
            $what => struct $name as $title {
                required {
                    /// Where it is: `http://` or `https://`.
                    url: $crate::delivery::url::HttpUrl = $hint,
                }
                optional {
                    $($(#[$meta])* $key: $type,)*
                    /// A file with the certificates of the authorities that are trusted, in PEM.
                    ca: $crate::written::AbsolutePath,
                    /// The name that the receiver's certificate must have.
                    server_name: $crate::delivery::ServerName,
                    /// A file with the certificate of this host, in PEM.
                    client_cert: $crate::written::AbsolutePath,
                    /// Its private key.
                    client_key: $crate::delivery::SecretRef,
                    /// A proxy, `environment`, or `none`.
                    proxy: $crate::delivery::over_http::ProxyText,
                    /// The place of `user:password` for the proxy.
                    proxy_credentials: $crate::delivery::SecretRef,
                    /// The place of a token or key.
                    token: $crate::delivery::SecretRef,
                    /// A user, with `password` (basic authentication).
                    user: Text,
                    /// The place of the password.
                    password: $crate::delivery::SecretRef,
                    /// Further headers, each a text or the place of a secret.
                    headers: Named<$crate::delivery::HeaderText>,
                    /// How long a request may take, from connecting to the last byte of its answer.
                    timeout: $crate::written::Period,
                    /// How long connecting may take.
                    connect_timeout: $crate::written::Period,
                }
                later {}
            }
        }

        impl $name {
            /// Takes the keys that all receivers over HTTP have.
            fn shared(&mut self) -> $crate::delivery::over_http::HttpKeys {
                $crate::delivery::over_http::HttpKeys {
                    url: self.url.take(),
                    tls: $crate::delivery::tls::TlsKeys {
                        ca: self.ca.take(),
                        server_name: self.server_name.take(),
                        client_cert: self.client_cert.take(),
                        client_key: self.client_key.take(),
                    },
                    proxy: self.proxy.take(),
                    proxy_credentials: self.proxy_credentials.take(),
                    token: self.token.take(),
                    user: self.user.take(),
                    password: self.password.take(),
                    headers: self.headers.take(),
                    timeout: self.timeout.take(),
                    connect_timeout: self.connect_timeout.take(),
                }
            }
        }
    };
}
pub(crate) use over_http;

impl HttpKeys {
    /// What they mean together; `None` after a problem was reported.
    pub(super) fn check(self, table: Loc, report: &mut Report<'_>) -> Option<HttpSettings> {
        if FAULTLESS.iter().any(|key| report.is_faulty(table, key)) {
            return None;
        }
        let before = report.errors();
        let auth = auth(self.token, self.user, self.password, table, report);
        let headers = headers(self.headers, &auth, report);
        let proxy = proxy(self.proxy, self.proxy_credentials, report);
        let At { value: url, loc } = self.url?;
        let secret =
            auth != Auth::None || headers.iter().any(|(_, text)| matches!(text, HeaderText::Secret(_)));
        let tls = if url.is_https() {
            self.tls.check(table, report)
        } else {
            if secret && !url.is_loopback() {
                let help = "write `https://`, so that nobody between reads it".to_owned();
                report.warning(loc, "the sink's secret crosses the network unencrypted", help);
            }
            let refused = self.tls.refuse("write `https://` in `url`, or leave the key out", report);
            (!refused).then(TlsSettings::default)
        };
        let timeout = within(self.timeout, TIMEOUT, report);
        let connect_timeout = within(self.connect_timeout, CONNECT_TIMEOUT, report);
        let settings = HttpSettings { url, tls: tls?, proxy, auth, headers, timeout, connect_timeout };
        (report.errors() == before).then_some(settings)
    }
}

/// A length of time from a second to ten minutes, or what it is unless the sink says otherwise.
pub(super) fn within(written: Option<At<Period>>, unless: Duration, report: &mut Report<'_>) -> Duration {
    let Some(At { value: Period(length), loc }) = written else { return unless };
    if !(Duration::from_secs(1)..=Duration::from_secs(600)).contains(&length) {
        report.error(loc, "the time is out of range", "write a time from \"1s\" to \"10m\"".to_owned());
    }
    length
}

fn auth(
    token: Option<At<SecretRef>>,
    user: Option<At<Text>>,
    password: Option<At<SecretRef>>,
    table: Loc,
    report: &mut Report<'_>,
) -> Auth {
    if let (Some(token), true) = (&token, user.is_some() || password.is_some()) {
        let loc = user.map(|at| at.loc).or(password.map(|at| at.loc)).unwrap_or(token.loc);
        let help = "leave out either `token`, or `user` and `password`".to_owned();
        report.error(loc, "the sink has two ways to say who it is", help);
        return Auth::None;
    }
    if let Some(token) = token {
        return Auth::Token(token.value);
    }
    if let Some(user) = user.as_ref().filter(|user| user.value.contains(':')) {
        report.error(user.loc, "a user of basic authentication has no `:` in the name (RFC 7617)", None);
    }
    let login = user_and_password(user, password, table, report);
    login.map_or(Auth::None, |(user, password)| Auth::Basic { user, password })
}

fn headers(
    written: Option<At<Named<HeaderText>>>,
    auth: &Auth,
    report: &mut Report<'_>,
) -> Vec<(HeaderName, HeaderText)> {
    let Some(At { value: Named(written), loc }) = written else { return Vec::new() };
    if written.len() > HEADERS_MAX {
        report.error(loc, format!("more than {HEADERS_MAX} headers"), None);
        return Vec::new();
    }
    let mut headers: Vec<(HeaderName, HeaderText)> = Vec::with_capacity(written.len());
    for (At { value: name, loc }, text) in written {
        let twice = |name: &HeaderName| headers.iter().any(|(other, _)| other == name);
        let wrong = match HeaderName::parse(&name) {
            Ok(name) if twice(&name) => "the header stands here twice",
            Ok(name) if &*name.0 == "authorization" && *auth != Auth::None => {
                "this header is made of the sink's credentials; leave it or them out"
            }
            Ok(name) => {
                headers.push((name, text));
                continue;
            }
            Err(why) => why,
        };
        report.error(loc, format!("{}: {wrong}", quoted(&name)), None);
    }
    headers
}

pub(super) fn proxy(
    proxy: Option<At<ProxyText>>,
    credentials: Option<At<SecretRef>>,
    report: &mut Report<'_>,
) -> Proxy {
    let credentials = match (&proxy, credentials) {
        (Some(At { value: ProxyText::At(_), .. }), credentials) => credentials.map(|at| at.value),
        (_, Some(At { loc, .. })) => {
            let help = "add `proxy = \"http://…\"`, or leave the key out".to_owned();
            report.missing(loc, "`proxy_credentials` is of no use without the address of a proxy", help);
            None
        }
        (_, None) => None,
    };
    match proxy.map(|at| at.value) {
        None | Some(ProxyText::None) => Proxy::None,
        Some(ProxyText::Environment) => Proxy::Environment,
        Some(ProxyText::At(url)) => Proxy::At { url, credentials },
    }
}
