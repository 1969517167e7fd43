//! What may have been meant by a word that is no topic and no command.

use gdprport_core::written::nearest_name;

use super::super::format::clean;
use super::topic::{LIST, TOPICS, Topic};

/// What was asked for is neither a topic nor a command.
#[derive(Debug, thiserror::Error)]
#[error("there is no topic or command `{asked}`: {}", hint.as_deref().unwrap_or("`gdprport help topics` lists the topics"))]
pub(in crate::ui) struct UnknownTopic {
    asked: String,
    /// What may have been meant, or where to read of it.
    hint: Option<String>,
}

impl UnknownTopic {
    /// Of these words the one at `at` is none of the commands that can stand there.
    pub(in crate::ui) fn of<'c>(
        words: &[String],
        at: usize,
        commands: impl Iterator<Item = &'c str>,
    ) -> Self {
        let word = words.get(at).map_or("", String::as_str);
        let topics = TOPICS.iter().map(|topic| topic.name).chain([LIST]).filter(|_| words.len() == 1);
        let known: Vec<&str> = topics.chain(commands).collect();
        let is_part = |name: &&str| word.len() > 2 && name.split('-').any(|part| part == word);
        let near = nearest_name(word, known.iter().copied()).or_else(|| known.iter().copied().find(is_part));
        let hint = match near {
            Some(near) => {
                let before = words.iter().take(at).map(String::as_str);
                let meant: Vec<&str> = before.chain([near]).collect();
                Some(format!("did you mean `gdprport help {}`?", meant.join(" ")))
            }
            None => speaks_of(word).map(|topic| format!("`gdprport help {}` speaks of it", topic.name)),
        };
        Self { asked: clean(&words.join(" ")).into_owned(), hint }
    }
}

/// The topic that has a word most often.
fn speaks_of(word: &str) -> Option<&'static Topic> {
    let lower = word.to_lowercase();
    let count = |topic: &Topic| {
        let text = topic.text.to_lowercase();
        text.split(|c: char| !c.is_alphanumeric()).filter(|part| *part == lower).count()
    };
    TOPICS.iter().filter(|topic| count(topic) > 0).max_by_key(|topic| count(topic))
}
