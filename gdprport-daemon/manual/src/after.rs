//! What stands behind the options of `--help`, in its parts: examples, remarks, exit status.
//!
//! The texts keep a form that people read as it is: blocks with blank lines between them, the first headed `Examples:`, one
//! that begins with `Exit status:`, and paragraphs.

/// The parts of what stands behind the options.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct After {
    pub(crate) examples: Vec<Example>,
    /// Paragraphs, each on one line.
    pub(crate) remarks: Vec<String>,
    /// Codes, and what each means.
    pub(crate) exit: Vec<(String, String)>,
}

/// A command that can be typed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Example {
    /// Its lines; all but the last end in `\`.
    pub(crate) lines: Vec<String>,
    pub(crate) remark: String,
}

impl Example {
    /// The command on one line.
    #[cfg(test)]
    pub(crate) fn command(&self) -> String {
        let lines = self.lines.iter().map(|line| line.trim().trim_end_matches('\\').trim());
        lines.collect::<Vec<_>>().join(" ")
    }
}

impl After {
    /// Takes the text apart.
    pub(crate) fn of(text: &str) -> Self {
        let mut after = Self::default();
        for block in text.split("\n\n") {
            if let Some(examples) = block.strip_prefix("Examples:\n") {
                examples.lines().for_each(|line| after.example(line));
            } else if let Some(exit) = block.strip_prefix("Exit status:") {
                after.exit = codes(&one_line(exit));
            } else {
                after.remarks.push(one_line(block));
            }
        }
        after
    }

    fn example(&mut self, line: &str) {
        let is_more =
            self.examples.last().and_then(|one| one.lines.last()).is_some_and(|line| line.ends_with('\\'));
        let line = line.strip_prefix("  ").unwrap_or(line);
        let indent = line.len() - line.trim_start().len();
        // Two spaces part a command from what is said of it.
        let parted = line[indent..]
            .split_once("  ")
            .map(|(command, remark)| (&line[..indent + command.len()], remark));
        let (command, remark) = parted.unwrap_or((line, ""));
        if !is_more {
            self.examples.push(Example::default());
        }
        if let Some(example) = self.examples.last_mut() {
            example.lines.push(command.trim_end().to_owned());
            example.remark.push_str(remark.trim());
        }
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// `0 valid, 2 problems.`, or the same without commas, as codes with their meanings.
fn codes(text: &str) -> Vec<(String, String)> {
    let mut codes: Vec<(String, Vec<&str>)> = Vec::new();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let is_code = word.len() == 1 && word.bytes().all(|byte| byte.is_ascii_digit());
        match codes.last_mut() {
            _ if is_code => codes.push((word.to_owned(), Vec::new())),
            Some((_, words)) => words.push(word),
            None => {}
        }
    }
    let meaning = |words: Vec<&str>| words.join(" ").trim_end_matches([',', ';', '.']).to_owned();
    codes.into_iter().map(|(code, words)| (code, meaning(words))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_remarks_and_codes_are_divided() {
        let after = After::of(
            "Examples:\n  gdprport a --b 'c d'   what it does\n  gdprport e \\\n    --f g\n\nA remark\nof two lines.\n\nExit status: 0 fine, or 2\nhosts; 1 not.",
        );
        assert_eq!(after.examples.len(), 2);
        assert_eq!(after.examples[0].command(), "gdprport a --b 'c d'");
        assert_eq!(after.examples[0].remark, "what it does");
        assert_eq!(after.examples[1].command(), "gdprport e --f g");
        assert_eq!(after.remarks, ["A remark of two lines."]);
        assert_eq!(codes("0 fine 1 failed"), [("0".into(), "fine".into()), ("1".into(), "failed".into())]);
    }
}
