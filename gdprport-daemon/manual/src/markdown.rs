//! Markdown as the source of a manual page: what the pages of `docs/` use of it.

use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};
use roff::{Inline, bold, italic, roman};

use crate::page::Page;

/// The text of one paragraph, heading or cell.
pub(crate) fn inlines(text: &str) -> Vec<Inline> {
    let mut line = Line::default();
    Parser::new(text).for_each(|event| line.take(&event));
    line.end()
}

/// Adds a text to a page. Its title is left out, as the page has a name.
pub(crate) fn add(page: &mut Page, text: &str) {
    let mut writer = Writer::new(page);
    Parser::new_ext(text, Options::ENABLE_TABLES).for_each(|event| writer.take(&event));
}

/// Words as they are collected.
#[derive(Debug, Default)]
struct Line {
    inlines: Vec<Inline>,
    strong: usize,
    emphasis: usize,
    /// Where a link goes that is being read, if a reader of the page can follow it.
    link: Option<String>,
    /// The page of `docs/` that it goes to, as it is written there.
    beside: Option<String>,
}

impl Line {
    fn take(&mut self, event: &Event<'_>) {
        match event {
            Event::Start(Tag::Strong) => self.strong += 1,
            Event::End(TagEnd::Strong) => self.strong -= 1,
            Event::Start(Tag::Emphasis) => self.emphasis += 1,
            Event::End(TagEnd::Emphasis) => self.emphasis -= 1,
            Event::Start(Tag::Link { dest_url, .. }) => {
                self.link = dest_url.starts_with("http").then(|| dest_url.to_string());
                let (file, _) = dest_url.split_once('#').unwrap_or((dest_url, ""));
                self.beside = (file.ends_with(".md") && !file.contains('/')).then(|| file.to_owned());
            }
            // A link whose text is its file: how every page of the manual calls one.
            Event::Text(text) if self.beside.as_deref() == Some(&**text) => {
                self.inlines.push(roman(format!("docs/{text}")));
            }
            Event::End(TagEnd::Link) => {
                self.beside = None;
                if let Some(link) = self.link.take() {
                    self.inlines.push(roman(format!(" <{link}>")));
                }
            }
            Event::Code(code) => self.inlines.push(bold(code.to_string())),
            Event::Text(text) if self.strong > 0 => self.inlines.push(bold(text.to_string())),
            Event::Text(text) if self.emphasis > 0 => self.inlines.push(italic(text.to_string())),
            Event::Text(text) => self.inlines.push(roman(text.to_string())),
            Event::SoftBreak | Event::HardBreak => self.inlines.push(roman(" ")),
            _ => {}
        }
    }

    fn end(&mut self) -> Vec<Inline> {
        std::mem::take(self).inlines
    }
}

/// A table as it is collected; each cell is a line.
#[derive(Debug, Default)]
struct Table {
    header: Vec<Vec<Inline>>,
    rows: Vec<Vec<Vec<Inline>>>,
    in_header: bool,
}

struct Writer<'p> {
    page: &'p mut Page,
    line: Line,
    table: Table,
    /// The number of the next item of each list that is open; `None`: it has none.
    lists: Vec<Option<u64>>,
    code: Option<String>,
}

impl<'p> Writer<'p> {
    fn new(page: &'p mut Page) -> Self {
        let (line, table) = (Line::default(), Table::default());
        Self { page, line, table, lists: Vec::new(), code: None }
    }

    fn take(&mut self, event: &Event<'_>) {
        match event {
            Event::End(TagEnd::Heading(level)) => self.heading(*level),
            Event::Start(Tag::Paragraph) => self.paragraph(),
            Event::End(TagEnd::Paragraph) => self.flush(),
            Event::Start(Tag::List(first)) => {
                self.flush();
                if !self.lists.is_empty() {
                    self.page.control("RS", &["4"]);
                }
                self.lists.push(*first);
            }
            Event::End(TagEnd::List(_)) => {
                self.lists.pop();
                if !self.lists.is_empty() {
                    self.page.control("RE", &[]);
                }
            }
            Event::Start(Tag::Item) => self.item(),
            Event::End(TagEnd::Item) => self.flush(),
            Event::Start(Tag::CodeBlock(_)) => {
                self.flush();
                self.code = Some(String::new());
            }
            Event::End(TagEnd::CodeBlock) => self.code_block(),
            Event::Start(Tag::Table(_)) => self.table = Table::default(),
            Event::Start(Tag::TableHead) => self.table.in_header = true,
            Event::End(TagEnd::TableHead) => self.table.in_header = false,
            Event::Start(Tag::TableRow) => self.table.rows.push(Vec::new()),
            Event::End(TagEnd::TableCell) => {
                let cell = self.line.end();
                match self.table.rows.last_mut() {
                    Some(row) if !self.table.in_header => row.push(cell),
                    _ => self.table.header.push(cell),
                }
            }
            Event::End(TagEnd::Table) => self.end_table(),
            Event::Text(text) if self.code.is_some() => {
                self.code.get_or_insert_default().push_str(text);
            }
            other => self.line.take(other),
        }
    }

    fn heading(&mut self, level: HeadingLevel) {
        let text: String = self.line.end().iter().map(plain).collect();
        let text = text.replace('"', "'");
        match level {
            // The page's name, which its header has.
            HeadingLevel::H1 => {}
            HeadingLevel::H2 => self.page.control("SH", &[&text]),
            _ => self.page.control("SS", &[&text]),
        }
    }

    /// Begins a paragraph; below a heading and behind the mark of an item it has begun.
    fn paragraph(&mut self) {
        if !self.page.is_fresh() {
            self.page.control(if self.lists.is_empty() { "PP" } else { "IP" }, &[]);
        }
    }

    fn flush(&mut self) {
        let line = self.line.end();
        if !line.is_empty() {
            self.page.text(line);
        }
    }

    fn item(&mut self) {
        self.flush();
        match self.lists.last_mut() {
            Some(Some(number)) => {
                let mark = format!("{number}.");
                *number += 1;
                self.page.control("IP", &[&mark, "4"]);
            }
            _ => self.page.control("IP", &["\\(bu", "2"]),
        }
    }

    fn code_block(&mut self) {
        let code = self.code.take().unwrap_or_default();
        self.paragraph();
        self.page.control("RS", &["4"]);
        self.page.control("nf", &[]);
        for line in code.lines() {
            self.page.text([roman(line)]);
        }
        self.page.control("fi", &[]);
        self.page.control("RE", &[]);
    }

    /// A row is a term and what is said of it: on 80 columns a table of sentences could not be read.
    fn end_table(&mut self) {
        let Table { header, rows, .. } = std::mem::take(&mut self.table);
        let single = header.iter().skip(1).filter(|name| !name.is_empty()).count() < 2;
        for row in rows {
            let mut cells = row.into_iter().enumerate().filter(|(_, cell)| !cell.is_empty());
            let Some((_, mut tag)) = cells.next() else { continue };
            let named = |at: usize| header.get(at).filter(|name| !name.is_empty());
            let mut body: Vec<Vec<Inline>> = Vec::new();
            for (at, cell) in cells {
                match named(at) {
                    // A single column says what the first one means, whatever it is called.
                    Some(_) if single => body.push(cell),
                    None if at + 1 == header.len() => body.push(cell),
                    None => {
                        tag.push(roman(" ("));
                        tag.extend(cell);
                        tag.push(roman(")"));
                    }
                    Some(name) => {
                        let mut line: Vec<Inline> = name.iter().map(|part| italic(plain(part))).collect();
                        line.push(roman(": "));
                        line.extend(cell);
                        body.push(line);
                    }
                }
            }
            self.page.control("TP", &[]);
            self.page.text(tag.iter().map(|part| bold(plain(part))).collect::<Vec<_>>());
            for (at, line) in body.into_iter().enumerate() {
                if at > 0 {
                    self.page.control("br", &[]);
                }
                self.page.text(line);
            }
        }
    }
}

/// The text without its face.
fn plain(inline: &Inline) -> String {
    match inline {
        Inline::Roman(text) | Inline::Italic(text) | Inline::Bold(text) => text.clone(),
        Inline::LineBreak => " ".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::Name;

    fn written(text: &str) -> String {
        let mut page = Page::begin(Name::new("x", 7), "about");
        page.control("SH", &["DESCRIPTION"]);
        add(&mut page, text);
        let text = page.end().text;
        text.split_once("DESCRIPTION\n").map(|(_, rest)| rest.to_owned()).expect("it has this heading")
    }

    #[test]
    fn headings_paragraphs_and_lists_are_macros() {
        let text = written(
            "# Title\n\nOne\ntwo `code` [x](y.md).\n\n## Part\n\nText, [site](https://a.example).\n\n- a\n- b\n  - c\n",
        );
        assert_eq!(
            text,
            "One two \\fBcode\\fR x.\n.SH Part\nText, site <https://a.example>.\n.IP \\(bu 2\na\n.IP \\(bu 2\nb\n.RS 4\n.IP \\(bu 2\nc\n.RE\n"
        );
    }

    #[test]
    fn a_row_of_a_table_is_a_term() {
        let text = written("| key | | meaning |\n|---|---|---|\n| `name` | required | its name |\n");
        assert_eq!(text, ".TP\n\\fBname\\fR\\fB (\\fR\\fBrequired\\fR\\fB)\\fR\nits name\n");
    }

    #[test]
    fn what_would_be_a_macro_is_text() {
        let text = written("```\n.TH\n'x\\y\n```\n");
        assert_eq!(text, ".RS 4\n.nf\n\\&.TH\n\\*(Aqx\\ey\n.fi\n.RE\n");
    }
}
