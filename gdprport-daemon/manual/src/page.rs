//! One manual page: its head, its sections, and how it is written.

use std::io::{self, Write};

use anyhow::Result;
use gdprport_daemon::ui;
use roff::{Inline, Roff, bold, roman};

/// A file to be written, by its path.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) path: String,
    pub(crate) text: String,
}

/// The name of a page with its section, as other pages name it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Name {
    pub(crate) name: String,
    pub(crate) section: u8,
}

impl Name {
    pub(crate) fn new(name: &str, section: u8) -> Self {
        Self { name: name.to_owned(), section }
    }

    /// `gdprport-flows(1)`, in running text.
    pub(crate) fn inlines(&self) -> [Inline; 2] {
        [bold(&*self.name), roman(format!("({})", self.section))]
    }
}

/// A page that is being written.
pub(crate) struct Page {
    name: Name,
    /// What is rendered already.
    done: String,
    roff: Roff,
    /// Nothing stands below the heading, or behind the mark of an item, yet.
    fresh: bool,
}

impl Page {
    /// A page with its head and its NAME.
    pub(crate) fn begin(name: Name, about: &str) -> Self {
        let version = ui::command().get_version().unwrap_or_default().to_owned();
        let (source, section) = (format!("gdprport {version}"), name.section.to_string());
        // What every rendering begins with stands once.
        let mut page = Self { name, done: Roff::new().render(), roff: Roff::new(), fresh: false };
        let title = page.name.name.clone();
        // No date: the same sources make the same page on any day.
        page.control("TH", &[&title, &section, "\"\"", &source, "gdprport"]);
        // Names of commands, files and variables are copied: none is parted at the end of a line, and no gaps fill one.
        page.control("nh", &[]);
        page.control("ad", &["l"]);
        page.control("SH", &["NAME"]);
        page.text([roman(format!("{title} - {}", about.trim_end_matches('.')))]);
        page
    }

    /// A macro with its arguments.
    pub(crate) fn control(&mut self, name: &str, arguments: &[&str]) {
        self.fresh = matches!(name, "SH" | "SS" | "IP");
        self.roff.control(name, arguments.iter().copied());
    }

    /// A line of text.
    pub(crate) fn text(&mut self, inlines: impl Into<Vec<Inline>>) {
        self.fresh = false;
        self.roff.text(inlines);
    }

    /// Whether nothing stands below the heading, or behind the mark of an item, yet: a paragraph has begun.
    pub(crate) const fn is_fresh(&self) -> bool {
        self.fresh
    }

    /// Adds what a generator writes.
    ///
    /// # Errors
    /// Those of the generator.
    pub(crate) fn generated(&mut self, render: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
        self.render();
        let mut written = Vec::new();
        render(&mut written)?;
        // Its way to an empty line, which mandoc does not like.
        let text = String::from_utf8(written)?.replace("\n.br\n\n.br\n", "\n.br\n");
        // It knows no marks, so code stands there as it is written.
        text.split_inclusive('\n').for_each(|line| self.add(&marked(line)));
        Ok(())
    }

    /// The section that names other pages.
    pub(crate) fn see_also(&mut self, names: &[Name]) {
        self.control("SH", &["DOCUMENTATION"]);
        let where_to =
            format!("What is called docs/PAGE.md here is in {} where a package installed it.", ui::DOCS);
        self.text([roman(where_to)]);
        self.control("SH", &["SEE ALSO"]);
        let mut line = Vec::new();
        for (at, name) in names.iter().filter(|name| **name != self.name).enumerate() {
            if at > 0 {
                line.push(roman(", "));
            }
            line.extend(name.inlines());
        }
        self.text(line);
    }

    /// The page as it is written.
    pub(crate) fn end(mut self) -> Written {
        self.render();
        // The crate writes a backslash as two, which is one in macros only.
        let text = self.done.replace(r"\\", r"\e");
        Written { path: format!("{}.{}", self.name.name, self.name.section), text }
    }

    fn render(&mut self) {
        let rendered = std::mem::take(&mut self.roff).render();
        self.add(&rendered);
    }

    fn add(&mut self, rendered: &str) {
        self.done.push_str(rendered.strip_prefix(&Roff::new().render()).unwrap_or(rendered));
    }
}

/// A line that is rendered already, with what stands between backticks in bold.
fn marked(line: &str) -> String {
    let parts: Vec<&str> = line.split('`').collect();
    if parts.len().is_multiple_of(2) {
        return line.to_owned();
    }
    let bold = |(at, part): (usize, &&str)| match at % 2 {
        0 => (*part).to_owned(),
        _ => format!(r"\fB{part}\fR"),
    };
    parts.iter().enumerate().map(bold).collect()
}

#[cfg(test)]
mod tests {
    use super::marked;

    #[test]
    fn code_in_a_generated_line_is_bold() {
        assert_eq!(marked("with `deliver` and `sink`\n"), "with \\fBdeliver\\fR and \\fBsink\\fR\n");
        assert_eq!(marked("one ` alone\n"), "one ` alone\n");
    }
}
