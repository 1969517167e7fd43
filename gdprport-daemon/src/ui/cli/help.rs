//! `gdprport help …`: what can be typed.

use std::ffi::OsStr;

use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};
use clap::{Arg, Args, Command, Error};

use super::super::help::{LIST, TOPICS};

/// What `gdprport help --help` says besides.
pub(super) const EXAMPLES: &str = "\
Examples:
  gdprport help topics             all topics, a line each
  gdprport help first-steps        from nothing to a policy that is watched
  gdprport help verdicts           what `violation` and its reasons mean
  gdprport help policy check       the same as `gdprport policy check --help`

A word that is a topic and a command is the topic; the command's own help is
`gdprport COMMAND --help`.";

/// `gdprport help …`
#[derive(Debug, Clone, Args)]
pub(in crate::ui) struct HelpArgs {
    /// A topic, or the words of a command.
    #[arg(value_name = "TOPIC|COMMAND", value_parser = Word, hide_possible_values = true)]
    pub(in crate::ui) words: Vec<String>,
}

/// Any word, as a command's words are not listed; shells complete the topics.
#[derive(Debug, Clone, Copy)]
struct Word;

impl TypedValueParser for Word {
    type Value = String;

    fn parse_ref(&self, command: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<String, Error> {
        StringValueParser::new().parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let topics = TOPICS.iter().map(|topic| PossibleValue::new(topic.name).help(topic.summary()));
        let list = PossibleValue::new(LIST).help("all topics, a line each");
        Some(Box::new(std::iter::once(list).chain(topics)))
    }
}
