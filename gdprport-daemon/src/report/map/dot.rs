//! The map for Graphviz (DOT). A text stands between quotes, with quotes and backslashes escaped, so that it is never markup.

use std::fmt::Write as _;

use gdprport_core::map::{Link, Outcome};
use gdprport_core::model::Direction;
use gdprport_core::text::is_control_or_bidi;

use super::view::{View, mark};

/// A text between quotes. `\N` and the like mean something in labels, so backslashes are doubled.
fn quoted(parts: &[&str]) -> String {
    let mut text = String::from("\"");
    for (at, part) in parts.iter().filter(|part| !part.is_empty()).enumerate() {
        text.push_str(if at > 0 { "\\n" } else { "" });
        for c in part.chars() {
            match c {
                '"' | '\\' => text.extend(['\\', c]),
                c if is_control_or_bidi(c) => text.push('\u{fffd}'),
                // Graphviz reads entities of HTML in any label.
                '&' => text.push_str("&amp;"),
                c => text.push(c),
            }
        }
    }
    text.push('"');
    text
}

fn style(outcome: Outcome, is_plain: bool, direction: Direction) -> String {
    let color = match outcome {
        Outcome::Declared => "#0b5c66",
        Outcome::Violation => "#a5201f",
        Outcome::Undecided => "#7a4b00",
    };
    let dashed = if is_plain { ", style=dashed" } else { "" };
    let back = if direction == Direction::In { ", dir=back" } else { "" };
    format!("color=\"{color}\", fontcolor=\"{color}\"{dashed}{back}")
}

impl View {
    /// `map.dot`.
    pub(crate) fn dot(&self) -> String {
        let words = self.lang.words();
        let (graph, mut text) = (&self.graph, String::new());
        let put = |text: &mut String, line: &str| {
            writeln!(text, "{line}").expect("writing to a String cannot fail");
        };
        put(&mut text, "digraph gdprport {");
        put(
            &mut text,
            "  rankdir=LR; ranksep=2; node [shape=box, style=rounded, fontname=\"sans-serif\"]; edge [fontname=\"sans-serif\", fontsize=10];",
        );
        put(&mut text, &format!("  label={}; labelloc=t;", quoted(&[words.map_title])));
        let lane = |text: &mut String, name: &str, nodes: Vec<String>| {
            put(text, &format!("  subgraph {name} {{ rank=same;"));
            nodes.iter().for_each(|node| put(text, &format!("    {node};")));
            put(text, "  }");
        };
        let sources = graph.sources.iter().enumerate();
        lane(
            &mut text,
            "sources",
            sources
                .map(|(at, source)| {
                    format!("s{at} [label={}]", quoted(&[&self.source(source), self.kind(source)]))
                })
                .collect(),
        );
        let ports = graph.ports.iter().enumerate().map(|(at, port)| {
            let dashed = if port.is_declared && port.is_seen { "" } else { ", style=\"rounded,dashed\"" };
            let label = quoted(&[&self.port(port), &self.ports(port), self.standing(port)]);
            format!("p{at} [label={label}{dashed}]")
        });
        lane(&mut text, "ports", ports.collect());
        let ends = graph.recipients.iter().enumerate().map(|(at, end)| {
            let country = end.country.as_deref().unwrap_or_default();
            let label = quoted(&[&self.end(end), self.zone(end.zone), country, &self.named(at)]);
            format!("r{at} [label={label}]")
        });
        lane(&mut text, "recipients", ends.collect());
        for Link { source, port, direction, outcome, is_plain, .. } in &graph.links {
            // A program that serves is not called through its link.
            let none = if *direction == Direction::In { ", arrowhead=none" } else { "" };
            let style = style(*outcome, *is_plain, Direction::Out);
            put(&mut text, &format!("  s{source} -> p{port} [{style}{none}];"));
        }
        for at in self.in_order() {
            let edge = &graph.edges[at];
            let label = quoted(&[&format!("{} {}", mark(edge.outcome), self.bytes(edge)), &View::why(edge)]);
            let width = f64::from(self.layout.edges[at].width) / 15.0;
            let style = style(edge.outcome, edge.is_plain, edge.direction);
            put(
                &mut text,
                &format!(
                    "  p{} -> r{} [label={label}, penwidth={width:.1}, {style}];",
                    edge.port, edge.recipient
                ),
            );
        }
        put(&mut text, "}");
        text
    }
}
