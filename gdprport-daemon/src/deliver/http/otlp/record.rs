//! An event as a log record, with attributes by OpenTelemetry's semantic conventions 1.44 and their names where they have one.

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs, SeverityNumber};
use opentelemetry_proto::tonic::resource::v1::Resource;

use crate::deliver::Message;
use gdprport_core::event::{Event, Severity};
use gdprport_core::model::TlsVersion;

/// The records of a batch, by host and run of the daemon, in order.
pub(super) fn logs(part: &[Message]) -> Vec<ResourceLogs> {
    let mut logs: Vec<ResourceLogs> = Vec::new();
    let mut last: Option<&Event> = None;
    for message in part {
        let event = &message.event;
        let same = last.is_some_and(|last| last.host == event.host && last.agent == event.agent);
        if !same {
            logs.push(resource(event));
        }
        last = Some(event);
        let scope = logs.last_mut().and_then(|logs| logs.scope_logs.last_mut());
        scope.expect("one was made").log_records.push(record(message));
    }
    logs
}

fn resource(event: &Event) -> ResourceLogs {
    let agent = &event.agent;
    let scope = InstrumentationScope {
        name: "gdprport".to_owned(),
        version: agent.version.to_string(),
        ..InstrumentationScope::default()
    };
    let attributes = vec![
        text("service.name", "gdprport"),
        text("service.version", &*agent.version),
        text("service.instance.id", agent.run.to_string()),
        text("host.name", &*event.host.name),
        text("os.type", "linux"),
    ];
    ResourceLogs {
        resource: Some(Resource { attributes, ..Resource::default() }),
        scope_logs: vec![ScopeLogs { scope: Some(scope), ..ScopeLogs::default() }],
        ..ResourceLogs::default()
    }
}

fn record(Message { event, record }: &Message) -> LogRecord {
    // The years that an event can be from fit: until 2554.
    let nanos = u64::try_from(event.time.as_nanosecond()).unwrap_or(0);
    let severity = event.severity();
    let number = match severity {
        Severity::Info => SeverityNumber::Info,
        Severity::Low => SeverityNumber::Info3,
        Severity::Medium => SeverityNumber::Warn,
        Severity::High => SeverityNumber::Error,
    };
    LogRecord {
        time_unix_nano: nanos,
        observed_time_unix_nano: nanos,
        severity_number: number.into(),
        severity_text: severity.as_str().to_owned(),
        body: Some(value(Value::StringValue(String::from_utf8_lossy(record).into_owned()))),
        attributes: attributes(event),
        event_name: format!("gdprport.{}", event.body.kind()),
        ..LogRecord::default()
    }
}

fn attributes(event: &Event) -> Vec<KeyValue> {
    let body = &event.body;
    let mut all = vec![
        // The key by which a receiver recognises what it has already.
        text("log.record.uid", event.id.to_string()),
        text("gdprport.kind", body.kind().as_str()),
        text("gdprport.severity", event.severity().as_str()),
    ];
    if let Some(port) = body.port() {
        all.extend([text("gdprport.port.name", &*port.name), number("gdprport.port.number", port.number)]);
    }
    if let Some(verdict) = body.verdict() {
        all.push(text("gdprport.verdict", verdict.outcome()));
        for reason in verdict.reasons().iter().take(1) {
            all.push(text("gdprport.reason", reason.id.to_string()));
        }
    }
    let local =
        body.flow().map(|flow| flow.flow.local).or_else(|| body.listener().map(|at| at.listener.local));
    if let Some(local) = local {
        let kind = if local.ip.is_ipv4() { "ipv4" } else { "ipv6" };
        all.extend([text("network.transport", "tcp"), text("network.type", kind)]);
        all.extend([
            text("network.local.address", local.ip.to_string()),
            number("network.local.port", local.port),
        ]);
    }
    if let Some(flow) = body.flow() {
        let peer = &flow.flow.peer;
        all.extend([
            text("network.peer.address", peer.ip.to_string()),
            number("network.peer.port", peer.port),
        ]);
        all.push(text("gdprport.direction", format!("{}", flow.flow.direction)));
        if let Some(version) = flow.posture.as_ref().and_then(|posture| posture.version) {
            let (protocol, version) = tls(version);
            all.extend([text("tls.protocol.name", protocol), text("tls.protocol.version", version)]);
        }
        if let Some(cipher) = flow.posture.as_ref().and_then(|posture| posture.cipher.as_deref()) {
            all.push(text("tls.cipher", cipher));
        }
        if let Some(sni) = flow.posture.as_ref().and_then(|posture| posture.sni.as_deref()) {
            all.push(text("tls.client.server_name", sni));
        }
    }
    if let Some(process) = body.process() {
        all.push(number("process.pid", process.pid));
        let known = [
            ("process.executable.path", &process.exe),
            ("process.executable.name", &process.comm),
            ("process.owner", &process.user),
            ("gdprport.process.unit", &process.unit),
        ];
        all.extend(known.into_iter().filter_map(|(key, value)| Some(text(key, &**value.as_ref()?))));
    }
    all
}

/// `tls.protocol.name` and `tls.protocol.version`.
const fn tls(version: TlsVersion) -> (&'static str, &'static str) {
    match version {
        TlsVersion::Ssl2 => ("ssl", "2"),
        TlsVersion::Ssl3 => ("ssl", "3"),
        TlsVersion::Tls10 => ("tls", "1.0"),
        TlsVersion::Tls11 => ("tls", "1.1"),
        TlsVersion::Tls12 => ("tls", "1.2"),
        TlsVersion::Tls13 => ("tls", "1.3"),
    }
}

fn text(key: &str, text: impl Into<String>) -> KeyValue {
    let value = Some(value(Value::StringValue(text.into())));
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

fn number(key: &str, number: impl Into<i64>) -> KeyValue {
    let value = Some(value(Value::IntValue(number.into())));
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

const fn value(value: Value) -> AnyValue {
    AnyValue { value: Some(value) }
}
