//! The map for Mermaid, which Markdown of many hosts draws. A text stands between quotes; all but letters, digits and a few signs are
//! written as their numbers, so that it is never markup.

use std::fmt::Write as _;

use gdprport_core::map::Outcome;
use gdprport_core::model::Direction;
use gdprport_core::text::is_control_or_bidi;

use super::view::{View, mark};

fn quoted(parts: &[&str]) -> String {
    let mut text = String::from("\"");
    for (at, part) in parts.iter().filter(|part| !part.is_empty()).enumerate() {
        text.push_str(if at > 0 { "<br/>" } else { "" });
        for c in part.chars() {
            match c {
                c if is_control_or_bidi(c) => text.push('\u{fffd}'),
                c if c.is_alphanumeric() || " .,:/_-·✓✕?…\u{a0}\u{202f}".contains(c) => text.push(c),
                c => write!(text, "#{};", u32::from(c)).expect("writing to a String cannot fail"),
            }
        }
    }
    text.push('"');
    text
}

/// A line: thick where it is a violation, dotted where plaintext was seen. One that comes from the other end is drawn without a head,
/// so that lanes stay, and says it in its label.
const fn line(outcome: Outcome, is_plain: bool, direction: Direction) -> &'static str {
    match (outcome, is_plain, direction) {
        (_, true, Direction::In) => "-.-",
        (_, true, Direction::Out) => "-.->",
        (Outcome::Violation, false, Direction::In) => "===",
        (Outcome::Violation, false, Direction::Out) => "==>",
        (_, false, Direction::In) => "---",
        (_, false, Direction::Out) => "-->",
    }
}

impl View {
    /// `map.mmd`.
    pub(crate) fn mermaid(&self) -> String {
        let words = self.lang.words();
        let (graph, mut text) = (&self.graph, String::from("flowchart LR\n"));
        let lane = |text: &mut String, (id, name): (&str, &str), nodes: Vec<String>| {
            writeln!(text, "  subgraph {id}[{}]", quoted(&[name])).expect("writing to a String cannot fail");
            nodes.iter().for_each(|node| text.push_str(&format!("    {node}\n")));
            text.push_str("  end\n");
        };
        let sources = graph.sources.iter().enumerate();
        lane(
            &mut text,
            ("sources", words.map_sources),
            sources
                .map(|(at, source)| format!("s{at}[{}]", quoted(&[&self.source(source), self.kind(source)])))
                .collect(),
        );
        let ports = graph.ports.iter().enumerate().map(|(at, port)| {
            let label = quoted(&[&self.port(port), &self.ports(port), self.standing(port)]);
            let class = if port.is_declared && port.is_seen { "" } else { ":::undeclared" };
            format!("p{at}[{label}]{class}")
        });
        lane(&mut text, ("ports", words.map_ports), ports.collect());
        let ends = graph.recipients.iter().enumerate().map(|(at, end)| {
            let country = end.country.as_deref().unwrap_or_default();
            let label = quoted(&[&self.end(end), self.zone(end.zone), country, &self.named(at)]);
            format!("r{at}[{label}]")
        });
        lane(&mut text, ("recipients", words.map_recipients), ends.collect());
        for link in &graph.links {
            let line = line(link.outcome, link.is_plain, link.direction);
            text.push_str(&format!("  s{} {line} p{}\n", link.source, link.port));
        }
        for at in self.in_order() {
            let edge = &graph.edges[at];
            let line = line(edge.outcome, edge.is_plain, edge.direction);
            let called = if edge.direction == Direction::In { self.direction(Direction::In) } else { "" };
            let label = quoted(&[&format!("{} {}", mark(edge.outcome), self.bytes(edge)), called]);
            text.push_str(&format!("  p{} {line}|{label}| r{}\n", edge.port, edge.recipient));
        }
        text.push_str("  classDef undeclared stroke-dasharray: 5 5\n");
        text
    }
}
