//! A fake of Elasticsearch's `_bulk` on a data stream: `create` only, `@timestamp` demanded, errors item by item.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::http_fake::{Protocol, Reply, Request, Taken};

/// A cluster with one data stream.
#[derive(Debug, Clone, Default)]
pub struct Bulk {
    /// Its data stream.
    pub stream: String,
    /// The API key; empty: none is asked for.
    pub key: String,
    /// Events whose mapping does not fit, by id: refused for good.
    pub unmapped: BTreeSet<String>,
    /// Events that a shard rejects once, as it is busy, by id.
    pub busy: BTreeSet<String>,
    /// A status and type of error for every item: a key without privileges, no template.
    pub always: Option<(u16, String)>,
    /// Documents that it has, by id.
    pub stored: BTreeSet<String>,
}

impl Bulk {
    /// One with this data stream.
    #[must_use]
    pub fn new(stream: &str) -> Self {
        Self { stream: stream.to_owned(), ..Self::default() }
    }

    /// Status, and the error's type and reason.
    fn item(&mut self, id: &str, document: &Value) -> Result<(), (u16, String, &'static str)> {
        if let Some((status, kind)) = &self.always {
            return Err((*status, kind.clone(), "for every item"));
        }
        let time = document["@timestamp"].as_str();
        if !document.is_object() || time.is_none_or(|time| time.parse::<jiff::Timestamp>().is_err()) {
            let kind = "document_parsing_exception".to_owned();
            return Err((400, kind, "data stream timestamp field [@timestamp] is missing"));
        }
        if self.busy.remove(id) {
            return Err((
                429,
                "es_rejected_execution_exception".to_owned(),
                "rejected execution of coordinating operation",
            ));
        }
        if self.unmapped.contains(id) {
            return Err((
                400,
                "document_parsing_exception".to_owned(),
                "[1:23] failed to parse field [port] of type [long]",
            ));
        }
        if !self.stored.insert(id.to_owned()) {
            return Err((409, "version_conflict_engine_exception".to_owned(), "document already exists"));
        }
        Ok(())
    }
}

impl Protocol for Bulk {
    fn take(&mut self, request: &Request) -> Taken {
        if !self.key.is_empty() && request.header("authorization") != Some(&format!("ApiKey {}", self.key)) {
            return whole(401, "security_exception", "unable to authenticate");
        }
        if request.method != "POST" || request.path != format!("/{}/_bulk", self.stream) {
            return whole(404, "index_not_found_exception", "no such index");
        }
        if request.header("content-type") != Some("application/x-ndjson") {
            return whole(406, "media_type_header_exception", "Content-Type header is not supported");
        }
        let Some(lines) = request.body.strip_suffix(b"\n") else {
            return whole(
                400,
                "illegal_argument_exception",
                "The bulk request must be terminated by a newline [\\n]",
            );
        };
        let lines: Vec<Result<Value, _>> =
            lines.split(|byte| *byte == b'\n').map(serde_json::from_slice).collect();
        let (mut items, mut ids) = (Vec::new(), Vec::new());
        for pair in lines.chunks(2) {
            let [Ok(action), Ok(document)] = pair else {
                return whole(400, "illegal_argument_exception", "Malformed action/metadata line");
            };
            let Some(id) = action["create"]["_id"].as_str() else {
                let why = "only write ops with an op_type of create are allowed in data streams";
                return whole(400, "illegal_argument_exception", why);
            };
            let index = format!(".ds-{}-2026.11.29-000001", self.stream);
            let mut item = json!({ "_index": index, "_id": id, "status": 201 });
            match self.item(id, document) {
                Ok(()) => {
                    item["result"] = "created".into();
                    ids.push(id.to_owned());
                }
                Err((status, kind, reason)) => {
                    item["status"] = status.into();
                    item["error"] = json!({ "type": kind, "reason": reason });
                }
            }
            items.push(json!({ "create": item }));
        }
        let errors = items.len() > ids.len();
        Taken { reply: Reply::json(200, &json!({ "took": 3, "errors": errors, "items": items })), ids }
    }
}

fn whole(status: u16, kind: &str, reason: &str) -> Taken {
    let body = json!({ "error": { "type": kind, "reason": reason }, "status": status });
    Taken::nothing(Reply::json(status, &body))
}
