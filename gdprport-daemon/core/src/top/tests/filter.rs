//! The grammar of filters.

use foldhash::fast::RandomState;
use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::event::samples::containers;
use crate::top::{Filter, FlowGroup};

fn group(change: impl FnOnce(&mut Process), verdict: Verdict) -> FlowGroup {
    let mut of = (*process(812, "/usr/bin/python3.11", Some("etl.service"))).clone();
    change(&mut of);
    let mut grouping = Grouping::new(RandomState::default(), None);
    add(&mut grouping, &flow(1, 0, "10.0.2.77", Some(Shared::new(of)), verdict));
    finish(grouping).rows.remove(0)
}

fn filter(text: &str) -> Filter {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[rstest]
#[case("")]
#[case("   ")]
#[case("port:5432")]
#[case("port:5400-5500")]
#[case("port:customers")]
#[case("port:1,5432")]
#[case("PORT:Customers-DB")]
#[case("peer:10.0.2.77")]
#[case("peer:10.0.0.0/8")]
#[case("peer:10.0.2")]
#[case("peer:db.example")]
#[case("unit:etl")]
#[case("process:python")]
#[case("user:etl")]
#[case("verdict:violation")]
#[case("verdict:v")]
#[case("verdict:declared,violation")]
#[case("-verdict:declared")]
#[case("tls:yes")]
#[case("tls:1.3")]
#[case("tls:tls1.3")]
#[case("dir:in")]
#[case("reason:peer")]
#[case("python3")]
#[case("10.0.2.77")]
#[case("undeclared")]
#[case("\"etl.serv\" port:5432")]
#[case("-fd00::1")]
fn what_is_wanted_is_found(#[case] text: &str) {
    assert!(filter(text).matches(&group(|_| {}, violation())), "{text}");
}

#[rstest]
#[case("port:5433")]
#[case("port:sessions")]
#[case("peer:10.0.2.7")]
#[case("peer:192.0.2.0/24")]
#[case("unit:postgres")]
#[case("verdict:declared")]
#[case("-verdict:violation")]
#[case("tls:no")]
#[case("tls:weak,unknown")]
#[case("dir:out")]
#[case("-python3")]
#[case("port:5432 ruby")]
#[case("fd00::1")]
#[case("container:shop")]
fn what_is_not_wanted_is_left_out(#[case] text: &str) {
    assert!(!filter(text).matches(&group(|_| {}, violation())), "{text}");
}

#[rstest]
#[case("prot:5432", 0, "`prot:` is no key; did you mean `port:`?")]
#[case(
    "x  colour:red",
    3,
    "`colour:` is no key; there are port: unit: peer: verdict: tls: process: user: container: dir: reason:"
)]
#[case("port:", 0, "port: needs a value, as in port:5432 or port:customers-db")]
#[case("port:70000", 0, "port:70000 is beyond 65535, the last port")]
#[case("port:9-3", 0, "port:9-3 ends before it begins")]
#[case("port:5432-", 0, "port:5432- has no end, as in port:5432-5439")]
#[case("peer:10.0.0.0/", 0, "peer:10.0.0.0/ needs the length of a prefix, as in peer:10.0.0.0/8")]
#[case("peer:10.0.0.0/33", 0, "peer:10.0.0.0/33 is no network such as 10.0.0.0/8 or fd00::/8")]
#[case("a verdict:maybe", 2, "verdict:maybe is none of violation, undecided, declared, accepted")]
#[case("dir:up", 0, "dir:up is neither in nor out")]
#[case("unit:\"a b", 5, "a quote is open: close it with \"")]
#[case("\"\"", 0, "\"\" is nothing to look for")]
fn a_mistake_is_said_where_it_stands(#[case] text: &str, #[case] at: usize, #[case] what: &str) {
    let error = text.parse::<Filter>().expect_err(text);
    assert_eq!((error.at, &*error.what), (at, what));
}

#[test]
fn containers_are_found_by_all_their_names() {
    let pod = group(|of| of.container = Some(containers::pod()), declared());
    for text in ["container:orders", "container:shop", "shop", "container:registry.example"] {
        assert!(filter(text).matches(&pod), "{text}");
    }
}

proptest! {
    /// Nothing that is typed panics, and what is wrong is said at a place within it.
    #[test]
    fn any_text_is_a_filter_or_a_mistake(text in "\\PC{0,40}|[a-z:,\"/0-9 .-]{0,30}") {
        match text.parse::<Filter>() {
            Ok(filter) => { let _ = filter.matches(&group(|_| {}, violation())); }
            Err(error) => {
                prop_assert!(error.at < text.chars().count().max(1));
                prop_assert!(!error.what.is_empty() && error.what.chars().count() < 240);
            }
        }
    }

    /// What a word finds is what its negation leaves out.
    #[test]
    fn a_negation_is_the_rest(word in "(port|unit|peer|tls|dir|verdict|user):[a-z0-9.]{1,6}|[a-z]{1,6}") {
        if let (Ok(with), Ok(without)) = (word.parse::<Filter>(), format!("-{word}").parse::<Filter>()) {
            let group = group(|_| {}, declared());
            prop_assert_ne!(with.matches(&group), without.matches(&group));
        }
    }
}
