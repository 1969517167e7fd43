//! The examples of `docs/delivery-receivers.md` are configurations that are accepted.

use super::Delivery;
use crate::written::Source;

const DOCUMENT: &str = include_str!("../../../../docs/delivery-receivers.md");

#[test]
fn every_documented_example_of_a_receiver_is_valid() {
    let examples: Vec<&str> =
        DOCUMENT.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(!examples.is_empty());
    for text in examples {
        let delivery = Delivery::parse(Source { name: "example".to_owned(), text: text.to_owned() });
        let delivery = delivery.unwrap_or_else(|problems| panic!("{problems}\n{text}"));
        let faulty: Vec<String> = delivery.faulty.iter().map(|sink| sink.problems.to_string()).collect();
        assert_eq!(faulty, Vec::<String>::new(), "{text}");
        assert!(!delivery.sinks.is_empty(), "{text}");
    }
}
