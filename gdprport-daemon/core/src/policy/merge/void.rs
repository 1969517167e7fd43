//! Patterns that can match nothing: no value that a key is compared with can be like that.
//!
//! Belongs here: what is known of all values of a key. A rule with such a pattern is no error, as it allows nothing, but
//! hardly what somebody meant. Whether a pattern parses is `intern`'s.

use crate::policy::model::ProcessKey;
use crate::policy::read::quoted;

/// Endings of systemd units that can hold processes (`cgroup_path`).
const UNITS: [&str; 5] = [".service", ".scope", ".socket", ".mount", ".swap"];

/// Characters that end a wildcard.
const WILD: [char; 4] = ['*', '?', ']', '}'];

/// Why a pattern can match nothing, and what would be right.
pub(super) fn why_void(key: ProcessKey, text: &str) -> Option<(String, String)> {
    let found =
        |what: &str, help: String| Some((format!("{} can match nothing: {what}", quoted(text)), help));
    match key {
        ProcessKey::Unit => {
            if ends_like_a_unit(text) {
                return None;
            }
            match text.strip_suffix(".slice") {
                Some(_) => found("a slice is no unit", format!("write `cgroup = \"/{text}/**\"`")),
                None => {
                    let help = format!("write \"{text}.service\", or with another of the suffixes");
                    found("a unit's name has a suffix, such as `.service` or `.scope`", help)
                }
            }
        }
        ProcessKey::Exe | ProcessKey::Cgroup => {
            if let Some(alive) = text.strip_suffix(" (deleted)") {
                return found(
                    "the path of a deleted file is given without that",
                    format!("write \"{alive}\""),
                );
            }
            let below = text.strip_prefix("/sys/fs/cgroup/").filter(|_| key == ProcessKey::Cgroup);
            if let Some(below) = below {
                return found("the path begins below the cgroup root", format!("write \"/{below}\""));
            }
            if text.starts_with("**") && text != "**" && !text.starts_with("**/") {
                let help = format!("write \"**/*{}\"", text.trim_start_matches('*'));
                return found("`**` stands for folders only as a whole component", help);
            }
            let plain = normal(text);
            if plain != text {
                return found(
                    "paths are given without `//`, `.`, `..` and a slash at the end",
                    format!("write \"{plain}\""),
                );
            }
            None
        }
        ProcessKey::Container => {
            if let Some((_, id)) = text.rsplit_once('/') {
                return found("a container's id has no slash", format!("write \"{id}\""));
            }
            let hex = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
            if hex && text.len() == 12 {
                return found(
                    "it is the beginning of an id, which has 64 digits",
                    format!("write \"{text}*\""),
                );
            }
            None
        }
        ProcessKey::User | ProcessKey::Group => None,
    }
}

/// Whether some unit ends like this pattern.
fn ends_like_a_unit(pattern: &str) -> bool {
    match pattern.rfind(WILD) {
        None => UNITS.iter().any(|suffix| pattern.len() > suffix.len() && pattern.ends_with(suffix)),
        Some(last) => {
            let tail = &pattern[last + 1..];
            UNITS.iter().any(|suffix| tail.ends_with(suffix) || suffix.ends_with(tail))
        }
    }
}

/// A path without what no path has that the kernel gives.
fn normal(path: &str) -> String {
    let mut steps: Vec<&str> = Vec::new();
    for step in path.split('/') {
        match step {
            "" | "." => {}
            ".." => {
                steps.pop();
            }
            step => steps.push(step),
        }
    }
    let root = if path.starts_with('/') { "/" } else { "" };
    format!("{root}{}", steps.join("/"))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::super::intern::Interner;
    use super::*;

    #[rstest]
    #[case::no_suffix(ProcessKey::Unit, "postgresql", "write \"postgresql.service\"")]
    #[case::an_instance(ProcessKey::Unit, "postgresql@15-main", "write \"postgresql@15-main.service\"")]
    #[case::a_wildcard_within(ProcessKey::Unit, "postgres*@main", "write \"postgres*@main.service\"")]
    #[case::a_slice(ProcessKey::Unit, "system.slice", "write `cgroup = \"/system.slice/**\"`")]
    #[case::a_timer(ProcessKey::Unit, "backup.timer", "write \"backup.timer.service\"")]
    #[case::a_deleted_file(ProcessKey::Exe, "/usr/bin/psql (deleted)", "write \"/usr/bin/psql\"")]
    #[case::two_slashes(ProcessKey::Exe, "/usr//bin/psql", "write \"/usr/bin/psql\"")]
    #[case::two_slashes_behind_a_wildcard(ProcessKey::Exe, "**//psql", "write \"**/psql\"")]
    #[case::dots(ProcessKey::Exe, "/usr/./lib/../bin/psql", "write \"/usr/bin/psql\"")]
    #[case::a_folder(ProcessKey::Exe, "/usr/bin/", "write \"/usr/bin\"")]
    #[case::stars_in_a_name(ProcessKey::Exe, "**psql", "write \"**/*psql\"")]
    #[case::the_mount(
        ProcessKey::Cgroup,
        "/sys/fs/cgroup/system.slice/a.service",
        "write \"/system.slice/a.service\""
    )]
    #[case::a_runtime(ProcessKey::Container, "containerd://3f1c99", "write \"3f1c99\"")]
    #[case::a_short_id(ProcessKey::Container, "3f1c99aa12bc", "write \"3f1c99aa12bc*\"")]
    fn a_pattern_that_no_value_matches_is_found(
        #[case] key: ProcessKey,
        #[case] text: &str,
        #[case] help: &str,
    ) {
        let (message, said) = why_void(key, text).expect("it can match nothing");
        assert!(message.contains("can match nothing: ") && said.starts_with(help), "{message}; {said}");
    }

    #[rstest]
    #[case::a_service(ProcessKey::Unit, "postgresql@15-main.service", "postgresql@15-main.service")]
    #[case::any_suffix(ProcessKey::Unit, "postgresql@*", "postgresql@15-main.service")]
    #[case::part_of_a_suffix(ProcessKey::Unit, "a.s*e", "a.service")]
    #[case::either(ProcessKey::Unit, "{a,b}.{service,scope}", "b.scope")]
    #[case::anything(ProcessKey::Unit, "*", "a.mount")]
    #[case::any_path(ProcessKey::Exe, "**", "/usr/bin/psql")]
    #[case::any_folder(ProcessKey::Exe, "**/psql", "/usr/bin/psql")]
    #[case::dots_in_a_name(ProcessKey::Exe, "/opt/..data/a.b/.x", "/opt/..data/a.b/.x")]
    #[case::the_root(ProcessKey::Cgroup, "/", "/")]
    #[case::an_id(ProcessKey::Container, "3f1c99aa12bc*", "3f1c99aa12bc44")]
    #[case::a_machine(ProcessKey::Container, "web-1", "web-1")]
    fn a_pattern_that_matches_something_is_not(
        #[case] key: ProcessKey,
        #[case] text: &str,
        #[case] value: &str,
    ) {
        assert_eq!(why_void(key, text), None);
        assert!(Interner::default().pattern(key, text).expect("a pattern").text_matches(value));
    }
}
