//! Transports over HTTP against strict fakes, on good days and bad ones.

mod https;
mod ndjson;
