//! Promises of the map's renderings.

use super::super::record::samples::{html, page};
use super::super::record::{EVIL, Kind, hostile, records};
use super::super::words::Lang;
use super::figure::figure;
use super::view::View;

const LANGS: [Lang; 3] = [Lang::En, Lang::De, Lang::Fr];

fn view(lang: Lang) -> View {
    View::of(&records(), lang).expect("something was seen")
}

fn evil(lang: Lang) -> View {
    View::of(&hostile(), lang).expect("something was seen")
}

fn all(view: &View) -> [String; 3] {
    [view.alone(), view.dot(), view.mermaid()]
}

#[test]
fn the_same_record_gives_the_same_map() {
    for lang in LANGS {
        assert_eq!(all(&view(lang)), all(&view(lang)));
    }
}

#[test]
fn every_node_and_edge_is_drawn_once() {
    let view = view(Lang::En);
    let (svg, graph) = (view.alone(), &view.graph);
    assert_eq!((graph.ports.iter().filter(|port| port.is_seen).count(), graph.edges.len()), (2, 6));
    let count = |part: &str| svg.matches(part).count();
    assert_eq!(count("tabindex=\"0\""), graph.sources.len() + graph.ports.len() + graph.recipients.len());
    assert_eq!(count(" m-edge "), graph.edges.len());
    assert_eq!(count(" m-link "), graph.links.len());
    assert_eq!(count("m-plain m-edge"), 2);
    for part in ["✓ 2.3 GiB", "✕ 22.7 KiB", "customers-db", "198.51.100.0/24", "postgresql@15-main.service"]
    {
        assert!(svg.contains(part), "{part}");
    }
    let dot = view.dot();
    assert_eq!(dot.matches(" -> ").count(), graph.edges.len() + graph.links.len());
    let mermaid = view.mermaid();
    assert_eq!(mermaid.matches("|\"").count(), graph.edges.len());
}

/// A file of its own has its style, for light, dark and paper, and loads nothing.
#[test]
fn a_map_alone_is_whole_by_itself() {
    let svg = view(Lang::En).alone();
    assert!(svg.contains("prefers-color-scheme: dark") && svg.contains("@media print"));
    for part in ["<script", "url(", "@import", "https://", "href", "<image", "<foreignObject"] {
        assert!(!svg.contains(part), "{part}");
    }
    assert_eq!(svg.matches("http://").count(), svg.matches("xmlns=\"http://www.w3.org/2000/svg\"").count());
}

#[test]
fn names_of_attackers_are_text_in_every_map() {
    for lang in LANGS {
        let [svg, dot, mermaid] = all(&evil(lang));
        for (text, parts) in [
            (&svg, &["<script", "<img", "onerror=\"", "onerror=alert(1)>\"", "\u{1b}", "\u{202e}"][..]),
            (&dot, &["\u{1b}", "\u{202e}", "</td>\"", " &amp; \""]),
            (&mermaid, &["<script", "<img", "\u{1b}", "\u{202e}", "](", "`", "{{7"]),
        ] {
            assert_eq!(svg.matches("</style>").count(), 1);
            for part in parts {
                assert!(!text.contains(part), "{part}: {text}");
            }
        }
        let part: String = EVIL.chars().take(12).collect();
        assert!(dot.contains(&part), "it stands there as text");
        // Between quotes nothing ends them.
        for line in dot.lines().chain(mermaid.lines()) {
            let quotes = line.replace("\\\\", "").replace("\\\"", "").matches('"').count();
            assert_eq!(quotes % 2, 0, "{line}");
        }
    }
}

#[test]
fn a_page_has_the_map_with_its_table() {
    for lang in LANGS {
        let view = view(lang);
        let figure = figure(&view);
        assert_eq!(figure.table.rows.len(), view.graph.edges.len());
        let rows = figure.table.rows.iter().flatten().filter(|cell| cell.rows.is_some()).count();
        assert_eq!(rows, view.graph.edges.len(), "each names its rows");
        let text = html(&page(&records(), lang));
        assert!(text.contains("id=\"data-flows\"") && text.contains(lang.words().map_plain));
        let ids: Vec<&str> = text.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        let once: std::collections::BTreeSet<&str> = ids.iter().copied().collect();
        assert_eq!(ids.len(), once.len(), "each id once");
    }
}

/// A name of the policy says who somebody thinks that is: it is marked as declared wherever it stands.
#[test]
fn an_other_end_has_the_name_that_the_policy_gives_it() {
    for lang in LANGS {
        let view = view(lang);
        let of = |part: &str| {
            let at = view.graph.recipients.iter().position(|end| view.end(end).starts_with(part));
            view.named(at.expect(part))
        };
        assert_eq!((&*of("10.0.2.7"), &*of("fd00:2::")), ("■ app-servers", "■ app-servers"));
        assert_eq!((&*of("198.51.100.0/24"), &*of("::1")), ("", ""), "nobody named them");
        let [svg, dot, mermaid] = all(&view);
        assert!(svg.contains("■ app-servers") && svg.contains(lang.words().map_named), "{svg}");
        assert!(
            dot.contains("\\n■ app-servers\"") && mermaid.contains("#9632; app-servers"),
            "{dot}{mermaid}"
        );
        let table = figure(&view).table;
        assert_eq!((table.columns[1].kind, table.columns[1].name), (Kind::Declared, lang.words().named));
        for row in &table.rows {
            assert_eq!(row.len(), table.columns.len());
            let expected = if row[0].lines[0].contains(":2:") || row[0].lines[0].starts_with("10.0.2.") {
                (Kind::Declared, "app-servers")
            } else {
                (Kind::Plain, "–")
            };
            assert_eq!((row[1].kind, &*row[1].lines[0]), expected, "{:?}", row[0]);
        }
    }
    let unnamed = gdprport_core::records::Records { sets: Vec::new(), ..records() };
    let view = View::of(&unnamed, Lang::En).expect("something was seen");
    assert!(!view.alone().contains(Lang::En.words().map_named), "there is nothing to explain");
}

/// Half a number is another port.
#[test]
fn a_port_is_never_shortened() {
    for lang in LANGS {
        let view = view(lang);
        let mut port = view.graph.ports[0].clone();
        port.ports = ["25", "465", "587", "2525"].map(ToOwned::to_owned).to_vec();
        port.protocol = Some("smtp".into());
        let of = |room| view.ports_within(&port, 11, room);
        assert_eq!(of(400), "TCP 25, 465, 587, 2525 · smtp");
        let mut shown: Vec<String> = (40..400).rev().map(of).collect();
        shown.dedup();
        let shorter = ["TCP 25, 465, 587, 2525", "TCP 25, 465, 587, …", "TCP 25, 465, …", "TCP 25, …"];
        assert_eq!(shown[1..5], shorter);
    }
}
