//! Paths in tokens that are no expressions to the parser: what macros and attributes are given.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// A path as it is written, with its line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) path: Vec<String>,
    pub(crate) line: usize,
    pub(crate) is_macro: bool,
}

/// Every path with `::`, groups taken apart, and every single name that looks like a type, a constant, a call or a macro.
pub(crate) fn paths(tokens: TokenStream) -> Vec<Written> {
    let mut found = Vec::new();
    walk(tokens, &[], &mut found);
    found
}

fn walk(tokens: TokenStream, prefix: &[String], found: &mut Vec<Written>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let is = |at: usize, c: char| matches!(tokens.get(at), Some(TokenTree::Punct(p)) if p.as_char() == c);
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        at += 1;
        let first = match token {
            TokenTree::Group(group) => {
                walk(group.stream(), &[], found);
                continue;
            }
            TokenTree::Ident(first) => first,
            _ => continue,
        };
        let before = at.checked_sub(2);
        let follows = |c: char| before.is_some_and(|before| is(before, c));
        let is_range = at >= 3 && is(at - 3, '.');
        let mut path = prefix.to_vec();
        path.push(first.to_string());
        let mut group = None;
        while is(at, ':') && is(at + 1, ':') {
            match tokens.get(at + 2) {
                Some(TokenTree::Ident(next)) => path.push(next.to_string()),
                Some(TokenTree::Group(inner)) if inner.delimiter() == Delimiter::Brace => {
                    group = Some(inner.stream());
                }
                _ => break,
            }
            at += 3;
        }
        // A field or method, a lifetime, a placeholder of a macro.
        if follows('.') && !is_range || follows('\'') || follows('$') && first != "crate" {
            continue;
        }
        if let Some(group) = group {
            walk(group, &path, found);
            continue;
        }
        let is_macro = is(at, '!') && !is(at + 1, '=');
        let is_call =
            matches!(tokens.get(at), Some(TokenTree::Group(g)) if g.delimiter() == Delimiter::Parenthesis);
        let is_capital = first.to_string().starts_with(char::is_uppercase);
        if path.len() > 1 || is_macro || is_call || is_capital {
            found.push(Written { path, line: first.span().start().line, is_macro });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::paths;

    #[test]
    fn paths_are_found_whatever_is_around_them() {
        let written = |text: &str| {
            let tokens = text.parse().expect("tokens");
            paths(tokens).into_iter().map(|written| written.path.join("::")).collect::<Vec<_>>()
        };
        assert_eq!(
            written("let x = { super::super::a::B }; y.z(crate::c())"),
            ["super::super::a::B", "crate::c"]
        );
        assert_eq!(written("use crate::{a::{B, c}, d::*};"), ["crate::a::B", "crate::a::c", "crate::d"]);
        assert_eq!(written("$crate::x::y!(0..MAX, $name::z, 'a, it.Len)"), ["crate::x::y", "MAX"]);
    }
}
