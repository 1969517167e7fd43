//! Names of rules and ports: short, plain, and each one once.

use std::collections::HashSet;

use super::process::stable_unit;
use crate::ledger::Identity;
use crate::model::Direction;

/// How many characters a name has at most, before a number that tells it from others.
const NAME_MAX: usize = 48;

/// Names that are given already.
#[derive(Debug, Default)]
pub(super) struct Given(HashSet<String>);

impl Given {
    /// The first of these names that nobody has, or the first one with a number.
    pub(super) fn first<'n>(&mut self, names: impl IntoIterator<Item = &'n str>) -> String {
        let mut first = None;
        for name in names {
            if self.0.insert(name.to_owned()) {
                return name.to_owned();
            }
            first.get_or_insert(name);
        }
        let first = first.unwrap_or("service");
        // There are fewer names than numbers.
        (2_usize..)
            .map(|number| format!("{first}-{number}"))
            .find(|name| self.0.insert(name.clone()))
            .unwrap_or_default()
    }
}

/// The role of a rule for this process.
pub(super) fn role(identity: &Identity, direction: Direction, given: &mut Given) -> String {
    let name = slug(base(identity));
    let program = identity.exe.as_deref().and_then(|exe| exe.rsplit('/').next()).map(slug);
    let user = identity.user.as_deref().map(slug);
    let with = |other: &Option<String>| {
        other.as_deref().map_or_else(|| name.clone(), |other| format!("{name}-{other}"))
    };
    let turned = format!("{name}-{}", direction.as_str());
    given.first([name.as_str(), &turned, &with(&program.filter(|program| *program != name)), &with(&user)])
}

/// What a process is called by.
fn base(identity: &Identity) -> &str {
    let file = |path: &'_ str| path.rfind('/').map_or(0, |slash| slash + 1);
    if let Some(container) = &identity.container {
        let workload = container.workload.as_deref().map(|workload| &workload[file(workload)..]);
        let image = container.image.as_deref().map(|image| {
            let name = &image[file(image)..];
            &name[..name.find([':', '@']).unwrap_or(name.len())]
        });
        return workload.or(container.name.as_deref()).or(image).unwrap_or("container");
    }
    let unit = stable_unit(identity).and_then(|unit| unit.rsplit_once('.')).map(|(name, _)| name);
    let exe = identity.exe.as_deref().map(|exe| &exe[file(exe)..]);
    unit.or(exe).unwrap_or("process")
}

/// Letters, digits, dots, `-` and `_` of a text, with `-` for what is between them.
pub(super) fn slug(text: &str) -> String {
    let mut slug = String::new();
    for c in text.chars() {
        match c {
            _ if slug.len() >= NAME_MAX => break,
            c if c.is_ascii_alphanumeric() || matches!(c, '.' | '_') => slug.push(c),
            _ if slug.is_empty() || slug.ends_with('-') => {}
            _ => slug.push('-'),
        }
    }
    let slug = slug.trim_matches(['-', '.']);
    if slug.is_empty() { "unnamed".to_owned() } else { slug.to_owned() }
}
