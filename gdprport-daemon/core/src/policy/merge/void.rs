//! Patterns that can match nothing: no value that a key is compared with can be like that.
//!
//! Belongs here: what is known of all values of a key. A rule with such a pattern is no error, as it allows nothing, but
//! hardly what somebody meant. Whether a pattern parses is `intern`'s.

use crate::container::{self, ImageRef, WORKLOAD_KINDS};
use crate::policy::model::ProcessKey;
use crate::written::quoted;

/// Endings of systemd units that can hold processes (`cgroup_path`).
const UNITS: [&str; 5] = [".service", ".scope", ".socket", ".mount", ".swap"];

/// Characters that end a wildcard.
const WILD: [char; 4] = ['*', '?', ']', '}'];

/// Why a pattern can match nothing, and what would be right.
pub(super) fn why_void(key: ProcessKey, text: &str) -> Option<(String, String)> {
    let found = |what: &str, help: String| Some(void(text, what, help));
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
        ProcessKey::Container | ProcessKey::Pod | ProcessKey::Namespace => {
            let what = match key {
                ProcessKey::Container => "neither the name nor the id of a container has a slash",
                ProcessKey::Pod => "a pod's name has no slash",
                _ => "the name of a namespace has no slash",
            };
            if let Some((before, last)) = text.rsplit_once('/') {
                let scheme = before.ends_with(":/") || before.is_empty() || before.contains(WILD);
                let help = match key {
                    _ if scheme || before.contains('/') => corrected(key, last),
                    ProcessKey::Container => {
                        format!("write `container = \"{last}\"` and `pod = \"{before}\"`")
                    }
                    ProcessKey::Pod => format!("write `pod = \"{last}\"` and `namespace = \"{before}\"`"),
                    _ => format!("write `namespace = \"{before}\"` and `pod = \"{last}\"`"),
                };
                return found(what, help);
            }
            let hex = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
            if key == ProcessKey::Container && hex && text.len() == 12 {
                return found(
                    "it is the beginning of an id, which has 64 digits",
                    format!("write \"{text}*\""),
                );
            }
            if key != ProcessKey::Container && has_upper_case(text) {
                return found(
                    "names of Kubernetes are written in lower case",
                    format!("write \"{}\"", text.to_lowercase()),
                );
            }
            None
        }
        ProcessKey::Workload => void_workload(text),
        ProcessKey::Image => void_image(text),
        ProcessKey::User | ProcessKey::Group | ProcessKey::Label | ProcessKey::StatedBy => None,
    }
}

/// What to write instead, if this is not all that is wrong with it either.
fn corrected(key: ProcessKey, text: &str) -> String {
    why_void(key, text).map_or_else(|| format!("write \"{text}\""), |(_, help)| help)
}

fn void(text: &str, what: &str, help: String) -> (String, String) {
    (format!("{} can match nothing: {what}", quoted(text)), help)
}

/// Whether it has capital letters that are no alternatives (`[Oo]rders`).
fn has_upper_case(text: &str) -> bool {
    !text.contains(['[', '{']) && text.bytes().any(|byte| byte.is_ascii_uppercase())
}

fn void_workload(text: &str) -> Option<(String, String)> {
    let (kind, name) = text.split_once('/')?;
    if name.contains('/') {
        let help = "write `namespace` as a key of its own, and \"Deployment/orders\"".to_owned();
        return Some(void(text, "a workload is written as its kind, a slash and its name", help));
    }
    if kind.contains(WILD) || WORKLOAD_KINDS.contains(&kind) {
        return None;
    }
    // As kubectl takes them.
    let lower = kind.to_lowercase();
    let known =
        WORKLOAD_KINDS.into_iter().zip(["deploy", "sts", "ds", "job", "ro"]).find(|(known, short)| {
            let known = known.to_lowercase();
            lower == *short || lower == known || lower == format!("{known}s")
        });
    let help = match known {
        Some((known, _)) => format!("write \"{known}/{name}\""),
        None => format!("leave the kind out: \"{name}\""),
    };
    Some(void(text, &format!("a kind is one of {}", WORKLOAD_KINDS.join(", ")), help))
}

fn void_image(text: &str) -> Option<(String, String)> {
    if let Some((scheme, rest)) = text.split_once("://") {
        let what = format!("an image has no `{}://`", scheme.escape_debug());
        return Some(void(text, &what, corrected(ProcessKey::Image, rest)));
    }
    if text.contains(char::is_whitespace) {
        let plain: String = text.split_whitespace().collect();
        return Some(void(text, "an image has no blanks", corrected(ProcessKey::Image, &plain)));
    }
    let parts = ImageRef::split(text);
    let path = parts.repository;
    if container::digest(text).is_some() || (path.is_empty() && parts.digest.is_some()) {
        return None;
    }
    if path.split('/').any(str::is_empty) {
        let what = "the image's path has an empty part";
        let help = "write it as \"shop/orders\", with a registry before it or a tag behind it if they matter";
        return Some(void(text, what, help.to_owned()));
    }
    // The grammar takes a first part with capital letters for a registry, and hardly anybody means one.
    let directory = parts.registry.filter(|registry| !registry.contains(['.', ':']));
    if has_upper_case(path) || directory.is_some_and(has_upper_case) {
        let behind = text.rfind(path).map_or(text.len(), |at| at + path.len());
        let (name, rest) = text.split_at(behind);
        let help = format!("write \"{}{rest}\"", name.to_lowercase());
        return Some(void(text, "the path of an image is written in lower case", help));
    }
    if parts.tag.is_some_and(|tag| tag.is_empty() || tag.contains(':')) {
        let help = "write the tag behind one colon, such as \"orders:1.4\", or leave it out".to_owned();
        return Some(void(text, "a tag is not empty and has no colon", help));
    }
    if text == "*" {
        let message = "`*` matches images whose path has one part, such as `postgres`, and not `shop/orders`";
        return Some((message.to_owned(), "write \"**\" for any image".to_owned()));
    }
    None
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
    #[case::a_scheme(
        ProcessKey::Image,
        "https://registry.example/orders",
        "write \"registry.example/orders\""
    )]
    #[case::capitals(ProcessKey::Image, "registry.example/Shop/x:A", "write \"registry.example/shop/x:A\"")]
    #[case::a_directory_with_capitals(ProcessKey::Image, "Shop/Orders", "write \"shop/orders\"")]
    #[case::a_registry_alone(ProcessKey::Image, "registry.example/", "write it as")]
    #[case::a_kind(ProcessKey::Workload, "deployments/a", "write \"Deployment/a\"")]
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
    #[case::capitals(ProcessKey::Container, "Web_1", "Web_1")]
    #[case::either_workload(ProcessKey::Workload, "{Job,Deployment}/a", "Job/a")]
    fn a_pattern_that_matches_something_is_not(
        #[case] key: ProcessKey,
        #[case] text: &str,
        #[case] value: &str,
    ) {
        assert_eq!(why_void(key, text), None);
        assert!(Interner::default().pattern(key, text).expect("a pattern").text_matches(value));
    }
}
