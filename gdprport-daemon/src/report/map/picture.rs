//! The picture of the map in README.md: a host with a shop, its mail and a cache that nobody declared, as this program draws it.

use gdprport_core::model::Direction;

use super::super::pictured;
use super::super::words::Lang;
use super::shop::shop;
use super::view::View;

#[test]
fn the_picture_of_the_map_is_what_is_drawn() {
    let view = View::of(&shop(), Lang::En).expect("something was seen");
    let calls = view.graph.edges.iter().filter(|edge| edge.direction == Direction::Out).count();
    assert!(calls > 0 && view.graph.edges.len() > calls, "both directions are on it");
    let svg = view.alone();
    for part in ["customers-db", "✓", "✕", "prefers-color-scheme: dark"] {
        assert!(svg.contains(part), "{part}");
    }
    pictured("map.svg", &svg);
}
