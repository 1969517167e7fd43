//! Sending log records, and what a collector's answers mean.

use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse};
use prost::Message as _;
use reqwest::header::HeaderMap;
use serde::Deserialize;

use super::record::logs;
use crate::deliver::http::answer::Answer;
use crate::deliver::http::attempts::Attempts;
use crate::deliver::http::client::{Receiver, Request, Scheme};
use crate::deliver::http::verdict::Verdict;
use crate::deliver::http::words::Words;
use crate::deliver::{Failure, Limits, Message, Refused};
use gdprport_core::delivery::{HttpUrl, OtlpSettings};

/// A collector.
#[derive(Debug)]
pub(crate) struct Otlp {
    receiver: Receiver,
    url: HttpUrl,
}

impl Otlp {
    /// For the collector of these settings.
    pub(crate) fn new(settings: OtlpSettings) -> Self {
        let url = settings.http.url.endpoint("/v1/logs");
        Self { receiver: Receiver::new(settings.http, Scheme::Bearer), url }
    }
}

impl Attempts for Otlp {
    /// What the exporters of OpenTelemetry send at once (512), and a quarter of the 4 MiB that collectors take; the attributes
    /// of a record are half as large again as its body.
    const LIMITS: Limits = Limits { events: 512, bytes: 1 << 20 };

    fn receiver(&self) -> &Receiver {
        &self.receiver
    }

    fn receiver_mut(&mut self) -> &mut Receiver {
        &mut self.receiver
    }

    async fn attempt(&mut self, part: &[Message]) -> Verdict {
        let body = ExportLogsServiceRequest { resource_logs: logs(part) }.encode_to_vec().into();
        let request = Request { content_type: "application/x-protobuf", headers: HeaderMap::new(), body };
        let judge = |answer: &Answer, words: &Words| {
            let (verdict, note) = judge(answer, part.len(), words);
            (verdict, words.sentence(&format!("{}{note}", answer.status)))
        };
        self.receiver.ask(&self.url, request, judge).await
    }
}

/// How many records a collector dropped of a request, and why.
#[derive(Debug, Default, PartialEq, Eq)]
struct Partial {
    rejected: i64,
    message: String,
}

/// What an answer to so many records means, and what it says beside that.
///
/// A partial success is never sent again (OTLP 1.x, "Partial Success"): what was rejected counts as refused. The collector says
/// how many, not which.
pub(crate) fn judge(answer: &Answer, length: usize, words: &Words) -> (Verdict, String) {
    if !answer.is_success() {
        let said = words.said(message_of(&answer.body).as_bytes());
        let verdict = match answer.status {
            // "The client MUST NOT retry the same request": what is sent again is each part of it alone.
            400 => {
                let why = words.sentence(&format!("refused (400){said}"));
                Verdict::Rejected { at: None, why, sure: true }
            }
            _ => {
                let body = message_of(&answer.body).into_bytes();
                Verdict::Failed(Answer { body, ..answer.clone() }.failure(words))
            }
        };
        return (verdict, said);
    }
    let Some(partial) = partial(answer) else {
        let what = format!(
            "answered {} with something that is no answer of OTLP: look at `url`{}",
            answer.status,
            words.said(&answer.body)
        );
        let failure = Failure { after: answer.after, ..words.failure(&what) };
        return (Verdict::Failed(failure), String::new());
    };
    let said = words.said(partial.message.as_bytes());
    let count = usize::try_from(partial.rejected).unwrap_or(0).min(length);
    let why = words.sentence(&format!(
        "one of {count} that the collector refused of {length}, without saying which{said}"
    ));
    let refused = (length - count..length).map(|index| Refused { index, why: why.clone() }).collect();
    (Verdict::Done(refused), said)
}

fn partial(answer: &Answer) -> Option<Partial> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Json {
        partial_success: Option<JsonPartial>,
    }
    #[derive(Deserialize, Default)]
    #[serde(rename_all = "camelCase", default)]
    struct JsonPartial {
        // 64-bit numbers are strings in the JSON of protobuf; both are met.
        rejected_log_records: serde_json::Value,
        error_message: String,
    }
    if answer.content_type == "application/json" {
        let json: Json = serde_json::from_slice(&answer.body).ok()?;
        let partial = json.partial_success.unwrap_or_default();
        let rejected = &partial.rejected_log_records;
        let rejected = rejected.as_i64().or_else(|| rejected.as_str()?.parse().ok()).unwrap_or(0);
        return Some(Partial { rejected, message: partial.error_message });
    }
    // Only what says that it is protobuf is read as such: nearly any bytes can be.
    if !answer.body.is_empty() && answer.content_type != "application/x-protobuf" {
        return None;
    }
    let response = ExportLogsServiceResponse::decode(&*answer.body).ok()?;
    let partial = response.partial_success.unwrap_or_default();
    Some(Partial { rejected: partial.rejected_log_records, message: partial.error_message })
}

/// `google.rpc.Status`, of which only the message is read, or the body as it is.
fn message_of(body: &[u8]) -> String {
    #[derive(Clone, PartialEq, prost::Message)]
    struct Status {
        #[prost(string, tag = "2")]
        message: String,
    }
    match Status::decode(body) {
        Ok(status) if !status.message.is_empty() => status.message,
        _ => String::from_utf8_lossy(body).into_owned(),
    }
}
