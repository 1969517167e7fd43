//! The sinks that pages of `docs/` show are configurations that are accepted.

use super::Delivery;
use crate::written::Source;

const PAGES: [&str; 4] = [
    include_str!("../../../../docs/delivery-receivers.md"),
    include_str!("../../../../docs/delivery.md"),
    include_str!("../../../../docs/for-security.md"),
    include_str!("../../../../docs/for-fleet.md"),
];

#[test]
fn every_documented_example_of_a_receiver_is_valid() {
    let blocks =
        |page: &'static str| page.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next());
    for page in PAGES {
        assert!(blocks(page).any(|text| text.contains("[[sink]]")));
    }
    for text in PAGES.into_iter().flat_map(blocks).filter(|text| text.contains("[[sink]]")) {
        let delivery = Delivery::parse(Source { name: "example".to_owned(), text: text.to_owned() });
        let delivery = delivery.unwrap_or_else(|problems| panic!("{problems}\n{text}"));
        let faulty: Vec<String> = delivery.faulty.iter().map(|sink| sink.problems.to_string()).collect();
        assert_eq!(faulty, Vec::<String>::new(), "{text}");
        assert!(!delivery.sinks.is_empty(), "{text}");
    }
}
