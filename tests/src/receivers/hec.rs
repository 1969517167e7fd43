//! A fake of Splunk's HTTP Event Collector, with indexer acknowledgement.
//!
//! Codes and statuses: Splunk, "Troubleshoot HTTP Event Collector"; acknowledgement: "About HTTP Event Collector Indexer
//! Acknowledgment": `false` also for what it does not know, `true` once.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::http_fake::{Protocol, Reply, Request, Taken};

/// A collector.
#[derive(Debug, Clone, Default)]
pub struct Hec {
    /// The token.
    pub token: String,
    /// Indexes that the token may use beside the default.
    pub indexes: BTreeSet<String>,
    /// Whether the token acknowledges; after so many questions.
    pub ack: Option<usize>,
    /// Events that it cannot read, by id.
    pub refused: BTreeSet<String>,
    /// Acknowledgement ids of requests that are never indexed.
    pub lost: BTreeSet<u64>,
    /// The next acknowledgement id.
    pub next: u64,
    /// Requests that are not indexed: when that is, and which events they have. In memory only.
    pub waiting: BTreeMap<u64, (usize, Vec<String>)>,
}

impl Hec {
    /// One with this token and no other setting.
    #[must_use]
    pub fn new(token: &str) -> Self {
        Self { token: token.to_owned(), ..Self::default() }
    }

    fn events(&mut self, request: &Request) -> Taken {
        if self.ack.is_some()
            && request.header("x-splunk-request-channel").is_none_or(|channel| channel.len() != 36)
        {
            return no(400, 10, "Data channel is missing");
        }
        if request.body.is_empty() {
            return no(400, 5, "No data");
        }
        let mut ids = Vec::new();
        let mut refusal = None;
        for (number, event) in
            serde_json::Deserializer::from_slice(&request.body).into_iter::<Value>().enumerate()
        {
            match event.ok().as_ref().map_or(Err((6, "Invalid data format")), |event| self.event(event)) {
                Ok(id) => ids.push(id),
                Err((code, text)) => {
                    let body = json!({ "text": text, "code": code, "invalid-event-number": number });
                    refusal = Some(Reply::json(400, &body));
                    break;
                }
            }
        }
        // What stands before a wrong event is taken.
        if let Some(reply) = refusal {
            return Taken { reply, ids: if self.ack.is_some() { Vec::new() } else { ids } };
        }
        let mut body = json!({ "text": "Success", "code": 0 });
        if let Some(polls) = self.ack {
            body["ackId"] = self.next.into();
            self.waiting.insert(self.next, (polls, std::mem::take(&mut ids)));
            self.next += 1;
        }
        Taken { reply: Reply::json(200, &body), ids }
    }

    fn event(&self, event: &Value) -> Result<String, (u32, &'static str)> {
        const FORMAT: (u32, &str) = (6, "Invalid data format");
        let fields = event.as_object().ok_or(FORMAT)?;
        let known = ["time", "host", "source", "sourcetype", "index", "event", "fields"];
        if fields.keys().any(|key| !known.contains(&key.as_str())) {
            return Err(FORMAT);
        }
        let texts = ["host", "source", "sourcetype", "index"];
        let is_text = |key: &&str| fields.get(*key).is_none_or(Value::is_string);
        if !texts.iter().all(is_text)
            || !fields.get("time").is_some_and(|time| time.as_f64().is_some_and(|time| time > 1e9))
        {
            return Err(FORMAT);
        }
        if fields.get("index").is_some_and(|index| !self.indexes.contains(index.as_str().unwrap_or_default()))
        {
            return Err((7, "Incorrect index"));
        }
        let event = fields.get("event").ok_or((12, "Event field is required"))?;
        if event == "" {
            return Err((13, "Event field cannot be blank"));
        }
        let id = event["id"].as_str().unwrap_or_default().to_owned();
        if self.refused.contains(&id) { Err(FORMAT) } else { Ok(id) }
    }

    fn acks(&mut self, request: &Request) -> Taken {
        if self.ack.is_none() {
            return no(400, 14, "ACK is disabled");
        }
        let asked: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let Some(asked) = asked["acks"].as_array() else { return no(400, 6, "Invalid data format") };
        let (mut acks, mut ids) = (serde_json::Map::new(), Vec::new());
        for id in asked.iter().filter_map(Value::as_u64) {
            let indexed = self.waiting.get_mut(&id).is_some_and(|(polls, _)| {
                *polls = polls.saturating_sub(1);
                *polls == 0 && !self.lost.contains(&id)
            });
            if indexed {
                ids.extend(self.waiting.remove(&id).into_iter().flat_map(|(_, ids)| ids));
            }
            acks.insert(id.to_string(), indexed.into());
        }
        Taken { reply: Reply::json(200, &json!({ "acks": acks })), ids }
    }
}

impl Protocol for Hec {
    fn take(&mut self, request: &Request) -> Taken {
        match request.header("authorization").map(|value| value.strip_prefix("Splunk ")) {
            None => return no(401, 2, "Token is required"),
            Some(None) => return no(401, 3, "Invalid authorization"),
            Some(Some(token)) if token != self.token => return no(403, 4, "Invalid token"),
            Some(Some(_)) => {}
        }
        match (request.method.as_str(), request.path.as_str()) {
            ("POST", "/services/collector/event") => self.events(request),
            ("POST", "/services/collector/ack") => self.acks(request),
            _ => Taken::nothing(Reply::json(
                404,
                &json!({ "text": "The requested URL was not found on this server.", "code": 404 }),
            )),
        }
    }

    fn killed(&mut self) {
        self.waiting.clear();
    }
}

fn no(status: u16, code: u32, text: &str) -> Taken {
    Taken::nothing(Reply::json(status, &json!({ "text": text, "code": code })))
}
