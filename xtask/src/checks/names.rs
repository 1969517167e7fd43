//! Names: those of tests fit a line of a report, and identifiers use the usual words of the field.

use std::collections::BTreeSet;

use proc_macro2::{TokenStream, TokenTree};

use super::files::File;

/// The longest name of a test.
const MAX_TEST_NAME: usize = 60;

/// Words of identifiers with the usual ones.
const BANNED: [(&str, &str); 5] = [
    ("farewell", "destroy_notice"),
    ("farewells", "destroy_notices"),
    ("books", "counters"),
    ("told", "reported, sent or logged"),
    ("tell", "report, send or log"),
];

pub(crate) fn offences(files: &[File]) -> Vec<String> {
    let mut offences = Vec::new();
    for file in files.iter().filter(|file| file.is_rust()) {
        // What does not parse is an offence already.
        let Ok(tokens) = file.text.parse::<TokenStream>() else { continue };
        let mut seen = BTreeSet::new();
        walk(tokens, &mut |line, what| {
            if seen.insert(what.clone()) {
                offences.push(format!("{}:{line}: {what}", file.path));
            }
        });
    }
    offences
}

fn walk(tokens: TokenStream, offend: &mut impl FnMut(usize, String)) {
    let (mut is_test, mut is_function) = (false, false);
    for token in tokens {
        match token {
            TokenTree::Group(group) => {
                is_test |= is_test_attribute(group.stream());
                walk(group.stream(), offend);
            }
            TokenTree::Ident(ident) => {
                let (name, line) = (ident.to_string(), ident.span().start().line);
                if is_test && is_function && name.len() > MAX_TEST_NAME {
                    offend(line, format!("{name} has {} characters, more than {MAX_TEST_NAME}", name.len()));
                }
                if let Some((part, instead)) = BANNED.iter().find(|(part, _)| has_part(&name, part)) {
                    offend(line, format!("`{name}` has `{part}` in it; use {instead}"));
                }
                is_test &= !is_function;
                is_function = name == "fn";
            }
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
}

/// Of `test`, `tokio::test(flavor = …)`, `rstest`.
fn is_test_attribute(tokens: TokenStream) -> bool {
    let mut last = None;
    for token in tokens {
        match token {
            TokenTree::Ident(ident) => last = Some(ident.to_string()),
            TokenTree::Punct(p) if p.as_char() == ':' => {}
            _ => break,
        }
    }
    matches!(last.as_deref(), Some("test" | "rstest"))
}

/// Whether an identifier has this as one of its words, be it snake case or camel case.
fn has_part(name: &str, part: &str) -> bool {
    let mut snake = String::new();
    for c in name.chars() {
        if c.is_uppercase() && !snake.ends_with(|c: char| c.is_uppercase() || c == '_') {
            snake.push('_');
        }
        snake.push(c);
    }
    snake.split('_').any(|word| word.eq_ignore_ascii_case(part))
}

#[cfg(test)]
mod tests {
    use super::super::files::File;
    use super::{MAX_TEST_NAME, has_part, offences};

    fn count(text: &str) -> usize {
        offences(&[File { path: "a.rs".into(), text: text.into() }]).len()
    }

    #[test]
    fn a_test_has_a_name_that_fits_a_line() {
        let (fits, long) = ("a".repeat(MAX_TEST_NAME), "a".repeat(MAX_TEST_NAME + 1));
        for attribute in ["test", "tokio::test(flavor = \"x\")", "rstest", "test]\n#[ignore = \"why\""] {
            assert_eq!(count(&format!("#[{attribute}]\nasync fn {fits}() {{}}")), 0);
            assert_eq!(count(&format!("mod tests {{ #[{attribute}]\npub async fn {long}() {{}} }}")), 1);
        }
        assert_eq!(count(&format!("proptest! {{ #[test]\nfn {long}(a in any()) {{}} }}")), 1);
        assert_eq!(
            count(&format!("#[test]\nfn a() {{}}\nfn {long}() {{}}\n#[cfg(test)]\nfn b{long}() {{}}")),
            0
        );
    }

    #[test]
    fn banned_words_are_found_in_any_case() {
        // In pieces, so that this file keeps its own rule.
        let book = ["book", "s"].concat();
        let capital = format!("PortB{}", &book[1..]);
        for name in
            [book.clone(), format!("port_{book}"), capital, book.to_uppercase(), format!("{book}_BY_ID")]
        {
            assert!(has_part(&name, &book), "{name}");
        }
        assert!(!has_part("bookshelf", &book) && !has_part("book", &book));
        assert_eq!(count(&format!("fn {book}() {{ {book}() }}")), 1);
        assert_eq!(count(&format!("// {book}\nconst A: &str = \"{book}\";")), 0);
    }
}
