//! What the checks of documentation know of a page: its links, and the anchors that others may link to.

use std::collections::{BTreeSet, HashMap};

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// One link or picture of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Link {
    /// The line that it stands on, from 1.
    pub(crate) line: usize,
    /// Where it leads, as it is written.
    pub(crate) target: String,
}

/// A page of Markdown.
#[derive(Debug, Default)]
pub(crate) struct Page {
    pub(crate) links: Vec<Link>,
    /// Ids of its headings, as GitHub and mdBook make them.
    pub(crate) anchors: BTreeSet<String>,
}

impl Page {
    pub(crate) fn of(text: &str) -> Self {
        let mut page = Self::default();
        let mut heading: Option<String> = None;
        let mut taken: HashMap<String, usize> = HashMap::new();
        for (event, range) in Parser::new_ext(text, Options::ENABLE_TABLES).into_offset_iter() {
            let line = || 1 + text[..range.start].matches('\n').count();
            match event {
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => {
                    let id = anchor(&heading.take().unwrap_or_default());
                    let before = taken.entry(id.clone()).or_default();
                    page.anchors.insert(if *before == 0 { id } else { format!("{id}-{before}") });
                    *before += 1;
                }
                Event::Text(text) | Event::Code(text) => {
                    if let Some(heading) = &mut heading {
                        heading.push_str(&text);
                    }
                }
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    page.links.push(Link { line: line(), target: dest_url.into_string() });
                }
                Event::Html(html) | Event::InlineHtml(html) => {
                    let line = line();
                    page.links.extend(attributes(&html).map(|target| Link { line, target }));
                }
                _ => {}
            }
        }
        page
    }
}

/// The id of a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().chars().filter_map(|c| match c {
        c if c.is_whitespace() => Some('-'),
        c => (c.is_alphanumeric() || matches!(c, '-' | '_')).then_some(c),
    });
    kept.flat_map(char::to_lowercase).collect()
}

/// Where the tags of a piece of HTML lead.
fn attributes(html: &str) -> impl Iterator<Item = String> {
    let of = |name: &str| -> Vec<String> {
        let begin = format!(" {name}=\"");
        let values = html.split(&begin).skip(1);
        values.filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())).collect()
    };
    ["href", "src", "srcset"].into_iter().flat_map(of).collect::<Vec<_>>().into_iter()
}

/// The path that a relative link of the page at `from` leads to, and the anchor there. `None`: it leads out of the checkout.
pub(crate) fn resolved<'l>(from: &str, target: &'l str) -> Option<(String, Option<&'l str>)> {
    let (path, anchor) = target.split_once('#').map_or((target, None), |(path, anchor)| (path, Some(anchor)));
    if path.is_empty() {
        return Some((from.to_owned(), anchor));
    }
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            name => parts.push(name),
        }
    }
    Some((parts.join("/"), anchor))
}

/// Whether a link leads to another host, or is none of ours to check.
pub(crate) fn leads_elsewhere(target: &str) -> bool {
    target.contains("://") || target.starts_with("mailto:")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_found_in_text_tables_and_html() {
        let text = "[a](a.md)\n\n| b |\n|---|\n| [b](b.md#c) |\n\n<img alt=\"\" src=\"c.svg\">\n\n```\n[no](d.md)\n```\n";
        let found: Vec<_> = Page::of(text).links.into_iter().map(|link| (link.line, link.target)).collect();
        let expected = [(1, "a.md"), (5, "b.md#c"), (7, "c.svg")];
        assert_eq!(found, expected.map(|(line, target)| (line, target.to_owned())));
    }

    #[test]
    fn headings_have_the_ids_that_github_gives_them() {
        let page =
            Page::of("# `[[exception]]`: what *somebody* accepted\n\n## Art. 30(1)\n\n## Art. 30(1)\n");
        let expected = ["art-301", "art-301-1", "exception-what-somebody-accepted"];
        assert!(page.anchors.iter().eq(expected.iter()), "{:?}", page.anchors);
    }

    #[test]
    fn relative_paths_are_followed_and_end_at_the_checkout() {
        assert_eq!(resolved("docs/a.md", "../README.md#b"), Some(("README.md".into(), Some("b"))));
        assert_eq!(resolved("docs/a.md", "#b"), Some(("docs/a.md".into(), Some("b"))));
        assert_eq!(resolved("docs/a.md", "adr/./1.md"), Some(("docs/adr/1.md".into(), None)));
        assert_eq!(resolved("docs/a.md", "../../b.md"), None);
        assert!(leads_elsewhere("https://example.org/a.md") && !leads_elsewhere("a.md"));
    }
}
