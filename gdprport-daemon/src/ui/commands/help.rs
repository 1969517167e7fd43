//! `help`: a topic, or what a command's own `--help` shows.

use clap::{Command, CommandFactory as _};

use super::super::cli::{Cli, HelpArgs};
use super::super::exit::Exit;
use super::super::help::{LIST, TOPICS, UnknownTopic, contents, docs, page};
use super::super::screen::Output;

pub(super) fn run(args: &HelpArgs, out: &mut Output) -> anyhow::Result<Exit> {
    out.text(&text(&args.words, out.screen().width)?)?;
    Ok(Exit::Fine)
}

fn text(words: &[String], width: u16) -> Result<String, UnknownTopic> {
    if let [word] = words {
        if word == LIST {
            return Ok(contents(docs()));
        }
        if let Some(topic) = TOPICS.iter().find(|topic| topic.name == word) {
            return Ok(page(topic, width, docs()));
        }
    }
    let mut root = Cli::command();
    // Gives each command its whole name.
    root.build();
    let mut command = &root;
    for (at, word) in words.iter().enumerate() {
        command = command
            .find_subcommand(word)
            .ok_or_else(|| UnknownTopic::of(words, at, command.get_subcommands().map(Command::get_name)))?;
    }
    Ok(command.clone().render_long_help().ansi().to_string())
}
