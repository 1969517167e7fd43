//! What a rule asks of a process: keys that prove who it was, and that a later start of the same program has too.
//!
//! Belongs here: which keys, in which order of preference. Each choice is tried with the policy's own compiler, so that what is
//! written is accepted and allows the process that was seen, whatever somebody has called it.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use jiff::Timestamp;

use super::text::{clean, quoted};
use crate::ledger::{ContainerIdentity, Identity};
use crate::model::{Attribution, Direction, Endpoint};
use crate::policy::{ActivePolicy, DnsNames, Facts, Source, compile, exactly};
use crate::privacy::{is_pseudonymous_id, names_pseudonym};
use crate::verdict::Verdict;

/// What a rule asks of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Demand {
    /// The value of `process`, a table on one line.
    pub table: String,
    /// How people call the process, in a sentence.
    pub called: String,
    /// What the author has to know, a sentence each.
    pub notes: Vec<String>,
}

/// A key of `process` with the text of its pattern.
type Key = (&'static str, String);

/// What a rule asks of this process, and nothing less; the reason, if nothing proves who it was.
pub(super) fn demand(identity: &Identity) -> Result<Demand, &'static str> {
    if identity.attribution == Attribution::Unknown {
        return Err("the process is not known");
    }
    let choices = match &identity.container {
        Some(container) => in_container(container, identity),
        None => outside(identity),
    };
    let is_true = |(key, value): &Key| {
        let maker = (*key == "stated_by").then(|| value.parse().ok()).flatten();
        !names_pseudonym(value) && !maker.is_some_and(is_pseudonymous_id)
    };
    let tables = choices
        .into_iter()
        .filter(|keys| !keys.is_empty() && keys.iter().all(is_true))
        .map(|keys| (table(&keys), keys));
    for (table, keys) in tables {
        if allows(&table, identity) {
            let notes = notes(identity, &keys);
            return Ok(Demand { table, called: called(identity), notes });
        }
    }
    Err(match &identity.container {
        _ if is_hidden(identity) => "the ledger has a pseudonym of its user",
        Some(_) => "it runs in a container whose names are not known",
        None if identity.exe.as_ref().is_some_and(|exe| !exe.starts_with('/')) => {
            "the path of its executable is no text that a rule can ask for"
        }
        None => "neither its executable nor its unit is known",
    })
}

/// Whether who it was is a pseudonym, which no rule can ask for.
fn is_hidden(identity: &Identity) -> bool {
    let maker = identity.container.as_ref().and_then(|container| container.stated_by);
    identity.uid.into_iter().chain(maker).any(is_pseudonymous_id)
        || identity.user.as_deref().is_some_and(names_pseudonym)
}

/// How people call a process: by its container, its unit or its executable.
pub(super) fn called(identity: &Identity) -> String {
    let program = identity.exe.as_deref().map(clean);
    match (&identity.container, stable_unit(identity), program) {
        (Some(container), ..) => match (&container.workload, &container.name, &container.image) {
            (Some(workload), ..) => format!("{} in Kubernetes", clean(workload)),
            (_, Some(name), Some(image)) => format!("container {} ({})", clean(name), clean(image)),
            (_, Some(name), None) => format!("container {}", clean(name)),
            (_, None, Some(image)) => format!("a container of {}", clean(image)),
            (_, None, None) => "a container without a known name".to_owned(),
        },
        (None, Some(unit), _) => clean(unit),
        (None, None, Some(program)) => program,
        (None, None, None) => "a process that is not known".to_owned(),
    }
}

fn table(keys: &[Key]) -> String {
    let keys: Vec<_> = keys.iter().map(|(key, value)| format!("{key} = {value}")).collect();
    format!("{{ {} }}", keys.join(", "))
}

fn exact(key: &'static str, text: &str) -> Key {
    (key, quoted(&exactly(text)))
}

/// The user by name, or by number where it has none or one of digits, which a policy takes for a number.
fn user(identity: &Identity) -> Option<Key> {
    if is_hidden(identity) {
        return None;
    }
    let name = identity.user.as_deref().filter(|name| !name.bytes().all(|byte| byte.is_ascii_digit()));
    match (name, identity.uid) {
        (Some(name), _) => Some(exact("user", name)),
        (None, uid) => uid.map(|uid| ("user", uid.to_string())),
    }
}

fn outside(identity: &Identity) -> Vec<Vec<Key>> {
    let exe = identity.exe.as_deref().map(|exe| exact("exe", exe));
    let unit = stable_unit(identity).map(|unit| exact("unit", unit));
    let user = user(identity);
    vec![both(unit.clone(), exe.clone()), both(unit, user.clone()), both(exe, user)]
}

fn both(one: Option<Key>, other: Option<Key>) -> Vec<Key> {
    one.zip(other).map_or_else(Vec::new, |(one, other)| vec![one, other])
}

fn in_container(container: &ContainerIdentity, identity: &Identity) -> Vec<Vec<Key>> {
    let key = |key: &'static str, text: &Option<Arc<str>>| text.as_deref().map(|text| exact(key, text));
    let image = container.image.as_deref().map(|image| ("image", quoted(image)));
    let namespace = key("namespace", &container.namespace);
    let name = key("container", &container.name)
        .filter(|_| namespace.is_some() || !container.name.as_deref().is_some_and(is_made_up));
    let workload = container.workload.as_deref().map(workload);
    let word = container.stated_by.filter(|uid| *uid != 0).map(|uid| ("stated_by", uid.to_string()));
    let all = |keys: &[&Option<Key>]| {
        let keys: Option<Vec<Key>> = keys.iter().map(|key| (*key).clone()).collect();
        let word = word.clone().filter(|_| keys.is_some());
        keys.unwrap_or_default().into_iter().chain(word).collect::<Vec<_>>()
    };
    let mut choices = if namespace.is_some() {
        vec![
            all(&[&namespace, &workload, &name, &image]),
            all(&[&namespace, &workload, &name]),
            all(&[&namespace, &workload]),
            all(&[&namespace, &name, &image]),
            all(&[&namespace, &image]),
            all(&[&namespace, &name]),
        ]
    } else {
        vec![all(&[&name, &image]), all(&[&image]), all(&[&name])]
    };
    // A container that is a unit of its own, such as Podman's of a `.container` file.
    let own = stable_unit(identity).filter(|unit| !RUNTIMES.contains(unit)).map(|unit| exact("unit", unit));
    choices.push(both(own, identity.exe.as_deref().map(|exe| exact("exe", exe))));
    choices
}

/// Units that hold all containers of a runtime.
const RUNTIMES: [&str; 6] = [
    "docker.service",
    "containerd.service",
    "crio.service",
    "kubelet.service",
    "k3s.service",
    "podman.service",
];

/// The workload as a rule asks for it: of a CronJob's pods the part of the job's name that all its runs have.
fn workload(text: &str) -> Key {
    let run = text.strip_prefix("Job/").and_then(|name| name.rsplit_once('-'));
    match run {
        Some((name, run)) if run.len() >= 6 && run.bytes().all(|byte| byte.is_ascii_digit()) => {
            ("workload", quoted(&format!("Job/{}-*", exactly(name))))
        }
        _ => exact("workload", text),
    }
}

/// Whether Docker or Podman has made the name up, as `brave_curie` or `brave_curie3`: the next one has another.
fn is_made_up(name: &str) -> bool {
    let name = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let word = |word: &str| word.len() > 2 && word.bytes().all(|byte| byte.is_ascii_lowercase());
    name.split_once('_').is_some_and(|(one, other)| word(one) && word(other))
}

/// The unit, if a later start of the same program is in it too: not of a login, of one connection or of a transient run.
pub(super) fn stable_unit(identity: &Identity) -> Option<&str> {
    let unit = identity.unit.as_deref()?;
    let name = unit.strip_suffix(".service").or_else(|| unit.strip_suffix(".scope"))?;
    let transient = ["session-", "user@", "run-", "app-"].iter().any(|begin| name.starts_with(begin));
    // As systemd calls instances for one connection each: its number, then addresses or a process and its user.
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let instance = name.split_once('@').and_then(|(_, instance)| instance.split_once('-'));
    let numbered = instance
        .is_some_and(|(number, rest)| digits(number) && (rest.contains(':') || rest.split('-').all(digits)));
    let is_id = |part: &str| part.len() >= 12 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    let has_id = name.split(['-', '.', '@', '_']).any(is_id);
    (!transient && !numbered && !has_id && !name.is_empty()).then_some(unit)
}

/// Programs that run what somebody else has written.
const INTERPRETERS: [&str; 15] = [
    "python", "perl", "ruby", "node", "nodejs", "php", "java", "bash", "sh", "dash", "zsh", "deno", "bun",
    "lua", "tclsh",
];

fn notes(identity: &Identity, keys: &[Key]) -> Vec<String> {
    let mut notes = Vec::new();
    let asks = |key: &str| keys.iter().any(|(asked, _)| *asked == key);
    let program = identity.exe.as_deref().and_then(|exe| exe.rsplit('/').next()).unwrap_or_default();
    let plain = program.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    if asks("exe") && !asks("unit") && INTERPRETERS.contains(&plain) {
        let script = identity.script.as_deref().map_or_else(String::new, |script| {
            format!(" It was {}, which no key of a rule can ask for.", clean(script))
        });
        let whom = identity.user.as_deref().map_or_else(|| "this user".to_owned(), clean);
        notes.push(format!("Whatever {} runs for {whom} passes this rule.{script}", clean(program)));
    }
    if let Some(container) = &identity.container {
        if let Some(uid) = container.stated_by.filter(|uid| *uid != 0) {
            notes.push(format!(
                "User {uid} can choose the names of this container: `stated_by` takes that user's word for it."
            ));
        }
        if keys.iter().any(|(key, value)| *key == "workload" && value.contains('*')) {
            notes.push("Every run of the job has another number, which `*` stands for.".to_owned());
        }
        let tag = container.image.as_deref().and_then(|image| image.rsplit_once(':'));
        if let Some((image, tag)) =
            tag.filter(|(_, tag)| asks("image") && !tag.contains('/') && tag.len() < 64)
        {
            let (image, tag) = (clean(image), clean(tag));
            notes.push(format!(
                "With the next tag this fails; {image:?} without {tag:?} would allow any tag."
            ));
        }
    }
    notes
}

/// Whether the policy's compiler takes this table, and a rule with it allows the process.
fn allows(table: &str, identity: &Identity) -> bool {
    let text = format!(
        "version = 1\n[[port]]\nname = \"p\"\nport = 1\n[[port.allow]]\nrole = \"r\"\ndirection = \"in\"\npeers = [\"any\"]\nprocess = {table}\n"
    );
    let Ok(policy) = compile(&[Source { name: String::new(), text }]) else { return false };
    let process = identity.process();
    let ip = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let facts = Facts {
        peer_missing: None,
        peer_within: None,
        direction: Direction::In,
        local: Endpoint::new(ip, 1),
        peer: Endpoint::new(ip, 1024),
        nat: None,
        process: Some(&process),
        owner_withheld: None,
        posture: None,
    };
    let verdict = ActivePolicy::new(policy, DnsNames::default()).evaluate(&facts, Timestamp::UNIX_EPOCH);
    matches!(verdict, Verdict::Declared { .. })
}
