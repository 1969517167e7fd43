//! `--help` and `-h`: how wide they are, and that their examples can be typed.

use clap::error::ErrorKind;
use gdprport_daemon::ui;

use super::every_command;
use crate::commands::after;

/// Columns of a terminal that nobody has made wider.
const COLUMNS: usize = 80;

#[test]
fn every_help_fits_80_columns_and_has_an_example() {
    for (name, mut command) in every_command() {
        let long = command.render_long_help().to_string();
        let short = command.render_help().to_string();
        // What stands behind the options is written as it is shown, and would be broken anywhere.
        let written = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        for text in [&long, &short, &written] {
            let wide = text.lines().find(|line| line.chars().count() > COLUMNS);
            assert_eq!(wide, None, "{name}");
        }
        assert!(!after(&command).examples.is_empty(), "{name} has no example");
        assert!(short.contains("\nExamples:\n"), "{name}: {short}");
    }
}

#[test]
fn every_example_is_taken_by_the_same_definition() {
    let mut count = 0;
    for (name, command) in every_command() {
        for example in after(&command).examples {
            let text = example.command();
            let words = shlex::split(&text).unwrap_or_else(|| panic!("{text} is not a line of a shell"));
            let own: Vec<_> =
                words.split(|word| word == "|" || word == "&&").filter_map(own_command).collect();
            assert!(!own.is_empty(), "{name}: `{text}` does not call gdprport");
            for words in own {
                let taken = ui::command().try_get_matches_from(&words);
                let is_help = |kind| kind == ErrorKind::DisplayHelp;
                let error = taken.err().filter(|error| !is_help(error.kind()));
                assert!(
                    error.is_none(),
                    "{name}: `{text}`: {}",
                    error.map(|e| e.to_string()).unwrap_or_default()
                );
                count += 1;
            }
        }
    }
    assert!(count > 60, "{count}");
}

/// The words of a call of gdprport; `None`: another program is called. What stands behind a redirection is a file.
fn own_command(words: &[String]) -> Option<Vec<String>> {
    let words = words.iter().skip_while(|word| *word == "sudo").take_while(|word| *word != ">");
    let words: Vec<String> = words.cloned().collect();
    (words.first()? == "gdprport").then_some(words)
}

#[test]
fn exit_codes_are_those_of_the_topic() {
    let root = ui::command();
    let topic = ui::TOPICS.iter().find(|topic| topic.name == "exit-codes").expect("there is one");
    let codes: Vec<String> = after(&root).exit.into_iter().map(|(code, _)| code).collect();
    assert_eq!(codes, ["0", "1", "2", "3"]);
    assert!(codes.iter().all(|code| topic.text.contains(&format!("\n| {code} | "))), "{}", topic.text);
    for (name, command) in every_command() {
        for (code, meaning) in after(&command).exit {
            assert!(codes.contains(&code) && !meaning.is_empty(), "{name}: {code} {meaning}");
        }
    }
}
