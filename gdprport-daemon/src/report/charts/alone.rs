//! Charts as files of their own, for a text or a slide: what other programs than browsers do not know of is resolved.

use super::chart::Chart;

/// The file of a chart.
pub(super) fn alone(chart: &Chart) -> String {
    chart.alone.alone(&style())
}

/// Whatever is behind it has a colour of its own.
const GROUND: &str = "svg { background: var(--card); }\n";

/// The style with the colours of a light page: word processors know no variables and no widths.
fn style() -> String {
    let palette = include_str!("../../../templates/palette.css");
    let light = palette.split('{').nth(1).and_then(|rest| rest.split('}').next()).unwrap_or_default();
    let mut style = [
        GROUND,
        include_str!("../../../templates/drawing.css"),
        include_str!("../../../templates/chart.css"),
    ]
    .concat();
    for (name, value) in light.split(';').filter_map(|line| line.trim().split_once(": ")) {
        style = style.replace(&format!("var({name})"), value);
    }
    // Widths are asked for at the end of the style sheet, and a file has one.
    style.split("@container").next().unwrap_or_default().to_owned()
}
