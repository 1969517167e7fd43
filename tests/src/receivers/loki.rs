//! A fake of Loki's push API in JSON: what is valid of a request is stored, and 400 says that the rest is not.
//!
//! Bounds: Loki's `limits_config` as it comes.

use std::collections::BTreeSet;

use serde_json::Value;

use super::http_fake::{Protocol, Reply, Request, Taken};

/// A Loki.
#[derive(Debug, Clone, Default)]
pub struct Loki {
    /// The tenant that must be named, if one must.
    pub tenant: Option<String>,
    /// Older entries are refused, in nanoseconds.
    pub oldest: i128,
    /// Whether structured metadata is switched off.
    pub plain: bool,
    /// Entries that it has, by labels, time and line: a repetition is dropped.
    pub stored: BTreeSet<(String, String, String)>,
}

impl Loki {
    fn labels(stream: &Value) -> Result<String, String> {
        let labels = stream["stream"].as_object().filter(|labels| !labels.is_empty());
        let labels = labels.ok_or("error at least one label pair is required per stream")?;
        if labels.len() > 15 {
            return Err("entry for stream has more than 15 label names".to_owned());
        }
        for (name, value) in labels {
            let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let value = value.as_str().ok_or("a label that is no text")?;
            if !name.chars().all(word) || name.starts_with(|c: char| c.is_ascii_digit()) || value.len() > 2048
            {
                return Err(format!("invalid label {name}"));
            }
        }
        Ok(stream["stream"].to_string())
    }

    /// The id of an entry that is stored, none of a repetition, or why it is refused.
    fn entry(&mut self, labels: &str, entry: &Value) -> Result<Option<String>, String> {
        let parts =
            entry.as_array().filter(|parts| (2..=3).contains(&parts.len())).ok_or("an entry is a list")?;
        let time = parts[0].as_str().ok_or("a timestamp is a string")?;
        let line = parts[1].as_str().ok_or("a line is a string")?;
        let nanos: i128 = time.parse().map_err(|_| "a timestamp is a number of nanoseconds")?;
        if nanos < self.oldest {
            return Err(format!(
                "entry for stream '{labels}' has timestamp too old: {time}, oldest acceptable timestamp is: {}",
                self.oldest
            ));
        }
        if line.len() > 256 << 10 {
            return Err(format!(
                "max entry size '262144' bytes exceeded for stream '{labels}' while adding an entry with length '{}' bytes",
                line.len()
            ));
        }
        let metadata = parts.get(2);
        if metadata.is_some_and(|pairs| {
            pairs.as_object().is_none_or(|pairs| pairs.values().any(|value| !value.is_string()))
        }) {
            return Err("structured metadata is an object of texts".to_owned());
        }
        if self.plain && metadata.is_some() {
            return Err(format!(
                "stream '{labels}' includes structured metadata, but this feature is disallowed. Please see `limits_config.structured_metadata`"
            ));
        }
        if !self.stored.insert((labels.to_owned(), time.to_owned(), line.to_owned())) {
            return Ok(None);
        }
        let event: Value = serde_json::from_str(line).unwrap_or_default();
        let id = metadata.and_then(|pairs| pairs["id"].as_str()).or_else(|| event["id"].as_str());
        Ok(id.map(str::to_owned))
    }
}

impl Protocol for Loki {
    fn take(&mut self, request: &Request) -> Taken {
        let no = |status, why: &str| Taken::nothing(Reply::text(status, &format!("{why}\n")));
        if request.method != "POST" || request.path != "/loki/api/v1/push" {
            return no(404, "404 page not found");
        }
        if request.header("x-scope-orgid") != self.tenant.as_deref() {
            return no(401, "no org id");
        }
        if request.header("content-type") != Some("application/json") {
            return no(415, "Content-Type is not supported");
        }
        let Ok(body) = serde_json::from_slice::<Value>(&request.body) else {
            return no(400, "couldn't parse push request");
        };
        let Some(streams) = body["streams"].as_array().filter(|streams| !streams.is_empty()) else {
            return no(422, "at least one valid stream is required for ingestion");
        };
        let (mut ids, mut refused) = (Vec::new(), None);
        for stream in streams {
            let labels = match Self::labels(stream) {
                Ok(labels) => labels,
                Err(why) => return no(400, &why),
            };
            for entry in stream["values"].as_array().into_iter().flatten() {
                match self.entry(&labels, entry) {
                    Ok(id) => ids.extend(id),
                    Err(why) => refused = Some(why),
                }
            }
        }
        let reply = match refused {
            None => Reply { status: 204, headers: Vec::new(), body: Vec::new() },
            Some(why) => Reply::text(400, &why),
        };
        Taken { reply, ids }
    }
}
