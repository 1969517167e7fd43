//! What arrives at a syslog receiver that writes the structured data of each message into a file, a line each.

use std::path::Path;

/// The ids in such a file, in the order of arrival, each as often as it arrived.
pub(super) fn ids(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    // The last line may be half written.
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let id = |line: &str| Some(line.split_once(" id=\"")?.1.split_once('"')?.0.to_owned());
    whole.lines().filter_map(id).collect()
}
