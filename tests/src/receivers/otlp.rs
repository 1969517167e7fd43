//! A fake collector of OpenTelemetry's logs over HTTP with protobuf: also what `rotel` forwards to.

use std::io::{Seek as _, Write as _};
use std::process::Command;

use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsPartialSuccess, ExportLogsServiceRequest, ExportLogsServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use prost::Message as _;

use super::http_fake::{Protocol, Reply, Request, Taken};

/// A collector.
#[derive(Debug, Clone, Default)]
pub struct Otlp {
    /// Of each request so many records are dropped, the last ones, and it says how many.
    pub rejected: usize,
}

impl Protocol for Otlp {
    fn take(&mut self, request: &Request) -> Taken {
        let no = |status, why: &str| Taken::nothing(Reply::text(status, why));
        if request.method != "POST" || request.path != "/v1/logs" {
            return no(404, "404 page not found");
        }
        if request.header("content-type") != Some("application/x-protobuf") {
            return no(415, "only application/x-protobuf");
        }
        let body = match request.header("content-encoding") {
            Some("gzip") => gunzip(&request.body),
            _ => request.body.clone(),
        };
        let Ok(logs) = ExportLogsServiceRequest::decode(&*body) else {
            return no(400, "no ExportLogsServiceRequest");
        };
        let mut ids = Vec::new();
        for logs in logs.resource_logs {
            let resource = logs.resource.unwrap_or_default();
            if text(&resource.attributes, "service.name").is_none() {
                return no(400, "a resource without service.name");
            }
            for record in logs.scope_logs.into_iter().flat_map(|scope| scope.log_records) {
                match check(&record) {
                    Ok(id) => ids.push(id),
                    Err(why) => return no(400, why),
                }
            }
        }
        let rejected = self.rejected.min(ids.len());
        ids.truncate(ids.len() - rejected);
        let partial_success = (rejected > 0).then(|| ExportLogsPartialSuccess {
            rejected_log_records: i64::try_from(rejected).expect("a few"),
            error_message: "too much".to_owned(),
        });
        let body = ExportLogsServiceResponse { partial_success }.encode_to_vec();
        let kind = ("Content-Type".to_owned(), "application/x-protobuf".to_owned());
        Taken { reply: Reply { status: 200, headers: vec![kind], body }, ids }
    }
}

/// By the program of that name: `rotel` compresses whatever it is told.
fn gunzip(body: &[u8]) -> Vec<u8> {
    let mut file = tempfile::tempfile().expect("a temporary file");
    file.write_all(body).and_then(|()| file.rewind()).expect("room for it");
    let output =
        Command::new("/bin/gzip").arg("-dc").stdin(file).output().expect("gzip is essential in Debian");
    output.stdout
}

/// The id of a record that is as the protocol wants it.
fn check(record: &LogRecord) -> Result<String, &'static str> {
    if record.time_unix_nano == 0 || record.observed_time_unix_nano == 0 {
        return Err("a record without time");
    }
    if !(1..=24).contains(&record.severity_number) {
        return Err("a severity out of range");
    }
    let mut keys: Vec<&str> = record.attributes.iter().map(|attribute| attribute.key.as_str()).collect();
    keys.sort_unstable();
    if keys.windows(2).any(|pair| pair[0] == pair[1]) || keys.contains(&"") {
        return Err("attribute keys are unique and not empty");
    }
    if record.body.is_none() {
        return Err("a record without body");
    }
    text(&record.attributes, "log.record.uid").ok_or("a record without log.record.uid")
}

fn text(attributes: &[KeyValue], key: &str) -> Option<String> {
    let attribute = attributes.iter().find(|attribute| attribute.key == key)?;
    match attribute.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text.clone()),
        _ => None,
    }
}
