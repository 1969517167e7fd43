//! What attributes state about an item: whether only tests have it, and in which file it is.

use syn::punctuated::Punctuated;
use syn::{Attribute, Expr, ExprLit, Lit, Meta, Token};

/// Whether the item with these attributes is compiled for tests only.
pub(crate) fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::List(list) if list.path.is_ident("cfg") => {
            attribute.parse_args::<Meta>().is_ok_and(|condition| needs_test(&condition))
        }
        meta => is_test(meta),
    })
}

/// `#[test]`, `#[tokio::test]`, `#[rstest]`.
fn is_test(meta: &Meta) -> bool {
    meta.path().segments.last().is_some_and(|last| last.ident == "test" || last.ident == "rstest")
}

/// Whether a condition holds in tests only: `test`, or the feature `testing` by which other crates' tests ask for
/// something. What the fuzzer has too is checked like the product.
fn needs_test(condition: &Meta) -> bool {
    let list = match condition {
        Meta::Path(path) => return path.is_ident("test"),
        Meta::NameValue(_) => return value(condition, "feature").is_some_and(|feature| feature == "testing"),
        Meta::List(list) => list,
    };
    let parts = list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated).unwrap_or_default();
    match () {
        () if list.path.is_ident("all") => parts.iter().any(needs_test),
        () if list.path.is_ident("any") => !parts.is_empty() && parts.iter().all(needs_test),
        () => false,
    }
}

/// The value of `#[path = "…"]`.
pub(crate) fn path_of(attributes: &[Attribute]) -> Option<String> {
    attributes.iter().find_map(|attribute| value(&attribute.meta, "path"))
}

/// The string of `key = "…"`.
fn value(meta: &Meta, key: &str) -> Option<String> {
    match meta {
        Meta::NameValue(pair) if pair.path.is_ident(key) => match &pair.value {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value()),
            _ => None,
        },
        _ => None,
    }
}
