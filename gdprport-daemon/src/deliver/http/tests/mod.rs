//! Transports over HTTP against strict fakes and real collectors, on good days and bad ones.

mod elastic;
mod https;
mod loki;
mod ndjson;
mod otlp;
mod splunk;
