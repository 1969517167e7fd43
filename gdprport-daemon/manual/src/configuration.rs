//! The page of `gdprport.toml`, from the example that is installed with it: its comments say what each key does.

use roff::bold;

use crate::markdown;
use crate::page::Page;

/// Adds the keys of the file by their tables. Every line of it is a comment: a sentence, a `[table]` or a key.
pub(crate) fn add(page: &mut Page, text: &str) {
    page.control("SH", &["DESCRIPTION"]);
    let mut about = String::new();
    let mut keys: Vec<&str> = Vec::new();
    for line in text.lines().chain([""]) {
        let content = line.trim_start_matches('#').trim_start();
        if !is_sentence(line) && is_key(content) {
            keys.push(content);
            continue;
        }
        // What a sentence is about is complete when another begins.
        if !keys.is_empty() {
            let mut names = std::mem::take(&mut keys).into_iter();
            page.control("TP", &[]);
            page.text([bold(names.next().unwrap_or_default())]);
            for name in names {
                page.control("TQ", &[]);
                page.text([bold(name)]);
            }
            page.text(markdown::inlines(&std::mem::take(&mut about)));
        }
        if content.starts_with('[') && content.ends_with(']') {
            paragraph(page, &mut about);
            page.control("SH", &[content]);
        } else if content.is_empty() {
            paragraph(page, &mut about);
        } else {
            about.push_str(if about.is_empty() { "" } else { " " });
            about.push_str(content);
        }
    }
    paragraph(page, &mut about);
}

fn paragraph(page: &mut Page, about: &mut String) {
    if !about.is_empty() {
        page.text(markdown::inlines(&std::mem::take(about)));
    }
}

/// `# Like this.`; a key has no space or three.
fn is_sentence(line: &str) -> bool {
    line.strip_prefix("# ").is_some_and(|rest| !rest.starts_with(' '))
}

fn is_key(content: &str) -> bool {
    content
        .split_once(" = ")
        .is_some_and(|(name, _)| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'))
}
