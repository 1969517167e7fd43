//! OpenTelemetry's protocol over HTTP with protobuf (OTLP 1.x).

mod export;
mod record;

pub(crate) use export::Otlp;
#[cfg(any(test, fuzzing))]
pub(crate) use export::judge;
