//! Writing TOML with comments, whoever chose the texts.
//!
//! Belongs here: quoting, cleaning and layout. What is written is not known here.

use crate::text::is_invisible;

/// What marks a blank, which only the author of a policy can fill in.
pub(super) const BLANK: &str = concat!("TO", "DO");

/// Columns that a line takes, as far as its parts can be broken.
const WIDTH: usize = 100;

/// Where the remark behind a value begins.
const REMARK: usize = 36;

/// How many characters of a text from outside a comment repeats.
const COMMENTED: usize = 200;

/// A text as a TOML string, with its quotes.
pub(super) fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

/// A text from outside as a comment can repeat it: on one line, without what steers a terminal, and bounded.
pub(super) fn clean(text: &str) -> String {
    let mut clean: String =
        text.chars().take(COMMENTED).map(|c| if is_invisible(c) { '\u{fffd}' } else { c }).collect();
    if text.chars().nth(COMMENTED).is_some() {
        clean.push('…');
    }
    clean
}

/// Lines of a policy.
#[derive(Debug, Default)]
pub(super) struct Page {
    text: String,
}

impl Page {
    /// A line as it is.
    pub(super) fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    pub(super) fn blank(&mut self) {
        self.text.push('\n');
    }

    /// The title of what follows, across the page.
    pub(super) fn title(&mut self, title: &str) {
        let rest = WIDTH.saturating_sub(title.chars().count() + 8);
        self.line(&format!("# ---- {title} {}", "-".repeat(rest)));
    }

    /// A sentence as a comment, broken where it is too long.
    pub(super) fn comment(&mut self, sentence: &str) {
        self.indented(sentence, "");
    }

    /// The same with all lines but the first below each other, behind a mark such as `1. `.
    pub(super) fn item(&mut self, mark: &str, sentence: &str) {
        let hang = " ".repeat(mark.chars().count());
        self.indented(&format!("{mark}{sentence}"), &hang);
    }

    fn indented(&mut self, sentence: &str, hang: &str) {
        let mut line = String::from("#");
        let mut used = 1;
        for word in sentence.split(' ') {
            let width = word.chars().count();
            if used + 1 + width > WIDTH && used > 1 + hang.len() {
                self.line(line.trim_end());
                line = format!("# {hang}");
                used = line.len();
                line.push_str(word);
            } else {
                line.push(' ');
                line.push_str(word);
                used += 1;
            }
            used += width;
        }
        self.line(line.trim_end());
    }

    /// A key with its value, and a remark behind it.
    pub(super) fn key(&mut self, assignment: &str, remark: &str) {
        if remark.is_empty() {
            return self.line(assignment);
        }
        if assignment.chars().count() >= REMARK {
            self.comment(remark);
            return self.line(assignment);
        }
        self.line(&format!("{assignment:REMARK$}# {remark}"));
    }

    /// A list as the value of a key: on one line if it fits.
    pub(super) fn list(&mut self, key: &str, items: &[String]) {
        let one = format!("{key} = [{}]", items.join(", "));
        if one.chars().count() <= WIDTH {
            return self.line(&one);
        }
        self.line(&format!("{key} = ["));
        let mut line = String::new();
        for item in items {
            if !line.is_empty() && line.chars().count() + item.chars().count() + 6 > WIDTH {
                self.line(&format!("    {}", line.trim_end()));
                line.clear();
            }
            line.push_str(item);
            line.push_str(", ");
        }
        self.line(&format!("    {}", line.trim_end()));
        self.line("]");
    }

    /// All lines of another page as comments: without the marks they are what they were.
    pub(super) fn commented(&mut self, other: &Self) {
        for line in other.text.lines() {
            self.line(if line.is_empty() { "#".to_owned() } else { format!("# {line}") }.as_str());
        }
    }

    pub(super) fn append(&mut self, other: &Self) {
        self.text.push_str(&other.text);
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }
}
