//! A record as a manifest of Fides (Fideslang 3.1): a system for each activity and for the other end of each rule.
//!
//! Fields of the manifest have what is declared. What was observed is below `meta.gdprport.observed`. A word that the taxonomy has no
//! key for becomes an entry of its own, with the word as its name.

use std::collections::BTreeMap;
use std::io;

use gdprport_core::policy::{Controller, DeclaredSite, ProcessingRecord, TlsDemand};
use gdprport_core::records::{Activity, Capacity, Records, RuleUse};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::known::{self, Kind};
use super::seen::{self, Unique};
use super::yaml::{item, yaml};

/// The only organization that Fides has.
const ORGANIZATION: &str = "default_organization";

/// The use of a declaration without a purpose: Fides requires one.
const NO_PURPOSE: &str = "purpose not declared";

/// What stands above.
const HEAD: &str = "\
# A manifest for Fides (Fideslang 3.1), written by gdprport.
# Fields have what somebody declared in the policy; a field that is absent was not declared. What was observed is below
# meta.gdprport.observed only. Entries data_use, data_category and data_subject are words of the policy that the default
# taxonomy has no key for.
";

/// Writes the manifest, of which no more than one system is there at a time.
///
/// # Errors
/// If it cannot be written.
pub(crate) fn fides(records: &Records, out: &mut dyn io::Write) -> io::Result<()> {
    let mut words = Words::default();
    let host = &*records.about.host;
    // Words stand above the systems that use them.
    for record in records.activities.iter().filter_map(|activity| activity.declared.as_deref()) {
        privacy(record, &mut words);
    }
    let mut manifest = Map::new();
    if let Some(controller) = &records.controller {
        manifest.insert("organization".to_owned(), json!([organization(controller)]));
    }
    for kind in [Kind::Use, Kind::Category, Kind::Subject] {
        let own = words.of(kind);
        if !own.is_empty() {
            manifest.insert(kind.name().to_owned(), own.into());
        }
    }
    out.write_all(HEAD.as_bytes())?;
    if !manifest.is_empty() {
        out.write_all(yaml(&seen::without_null(manifest.into())).as_bytes())?;
    }
    if records.all().next().is_none() {
        return out.write_all(b"system: []\n");
    }
    out.write_all(b"system:\n")?;
    let mut unique = Unique::new("fides_key", ".");
    let mut put = |system: Value| -> io::Result<()> {
        out.write_all(item(&seen::without_null(unique.named(system))).as_bytes())
    };
    for activity in &records.activities {
        let key = format!("{}.{}", key(host), key(&activity.name));
        put(declared(activity, &key, records, &mut words))?;
        for used in &activity.rules {
            put(other_end(used, activity, &key))?;
        }
    }
    records.undeclared.iter().try_for_each(|activity| put(undeclared(activity, host)))
}

/// Words that the taxonomy has no key for, by kind and key.
#[derive(Debug, Default)]
struct Words(BTreeMap<(Kind, String), String>);

impl Words {
    /// The key of a word.
    fn key(&mut self, kind: Kind, word: &str) -> String {
        if let Some(known) = known::fides(kind, word) {
            return known.to_owned();
        }
        let key = format!("gdprport_{}", key(word));
        self.0.entry((kind, key.clone())).or_insert_with(|| word.to_owned());
        key
    }

    fn keys(&mut self, kind: Kind, words: Option<&[impl AsRef<str>]>) -> Vec<String> {
        words.unwrap_or_default().iter().map(|word| self.key(kind, word.as_ref())).collect()
    }

    fn of(&self, kind: Kind) -> Vec<Value> {
        let own = self.0.iter().filter(|((of, _), _)| *of == kind);
        let entry = |((_, key), name): (&(Kind, String), &String)| {
            let about = if name == NO_PURPOSE {
                "The policy declares no purpose."
            } else {
                "A word of the policy. What it is in the default taxonomy is for somebody to decide."
            };
            json!({
                "fides_key": key,
                "organization_fides_key": ORGANIZATION,
                "name": name,
                "description": about,
                "tags": ["gdprport"],
            })
        };
        own.map(entry).collect()
    }
}

/// A key: lower-case letters, digits and dashes stay, a space becomes an underscore. If anything else had to go, digits of its
/// digest tell it from others. At most 72 characters.
fn key(text: &str) -> String {
    let mut exact = true;
    let mut key = String::new();
    for c in text.chars() {
        let (c, kept) = match c {
            'a'..='z' | '0'..='9' | '-' => (c, true),
            ' ' => ('_', true),
            'A'..='Z' => (c.to_ascii_lowercase(), false),
            _ => ('_', false),
        };
        exact &= kept;
        if key.len() == 63 {
            exact = false;
            break;
        }
        key.push(c);
    }
    if exact && !key.is_empty() {
        return key;
    }
    let digest = Sha256::digest(text.as_bytes());
    let digits = digest.iter().take(4).fold(0_u32, |sum, byte| (sum << 8) | u32::from(*byte));
    format!("{key}_{digits:08x}")
}

fn organization(controller: &Controller) -> Value {
    let reach =
        |text: &str| if known::is_mail(text) { json!({ "email": text }) } else { json!({ "name": text }) };
    let mut contact = json!({ "name": controller.name });
    let mut about = Vec::new();
    match controller.contact.as_deref() {
        Some(mail) if known::is_mail(mail) => seen::merge(&mut contact, json!({ "email": mail })),
        Some(other) => about.push(format!("Contact: {other}")),
        None => {}
    }
    json!({
        "fides_key": ORGANIZATION,
        "name": controller.name,
        "description": (!about.is_empty()).then(|| about.join("\n")),
        "controller": contact,
        "data_protection_officer": controller.dpo.as_deref().map(reach),
        "representative": controller.representative.as_deref().map(reach),
    })
}

/// A declared activity.
fn declared(activity: &Activity, key: &str, records: &Records, words: &mut Words) -> Value {
    let controller = records.controller.as_ref();
    let none = ProcessingRecord::default();
    let record = activity.declared.as_deref().unwrap_or(&none);
    let lines = |texts: Option<&[std::sync::Arc<str>]>, between: &str| {
        texts.filter(|texts| !texts.is_empty()).map(|texts| texts.join(between))
    };
    let joint = [controller.and_then(|c| c.joint.as_deref()), record.joint.as_deref()];
    let joint: Vec<std::sync::Arc<str>> = joint.into_iter().flatten().flatten().cloned().collect();
    let safeguards: Vec<&str> = record
        .safeguards
        .iter()
        .flatten()
        .filter_map(|text| known::safeguard(text))
        .map(|known| known.fides)
        .collect();
    let privacy: Vec<Value> = activity.declared.iter().map(|record| privacy(record, words)).collect();
    let flows: Vec<Value> = activity
        .rules
        .iter()
        .map(|used| json!({ "fides_key": rule_key(key, used), "type": "system" }))
        .collect();
    let single = match activity.ports().as_slice() {
        [port] if !port.contains('-') => Some(port.clone()),
        _ => None,
    };
    json!({
        "fides_key": key,
        "organization_fides_key": ORGANIZATION,
        "name": format!("{} on {}", activity.name, records.about.host),
        "description": about(activity),
        "system_type": "Service",
        "tags": ["gdprport"],
        "administrating_department": record.owner,
        "responsibility": [match activity.capacity {
            Capacity::Controller => "Controller",
            Capacity::Processor(_) => "Processor",
        }],
        "legal_name": controller.map(|controller| &controller.name),
        "dpo": controller.and_then(|controller| controller.dpo.as_deref()),
        "joint_controller_info": lines(Some(&joint), "; "),
        "does_international_transfers": record.transfers.as_ref().map(|transfers| !transfers.is_empty()),
        "legal_basis_for_transfers": (!safeguards.is_empty()).then_some(safeguards),
        "data_security_practices": lines(record.measures.as_deref(), "; "),
        "fidesctl_meta": single.map(|port| json!({ "endpoint_port": port })),
        // A connection carries data both ways, whoever makes it.
        "ingress": (!flows.is_empty()).then_some(&flows),
        "egress": (!flows.is_empty()).then_some(&flows),
        "privacy_declarations": privacy,
        "meta": { "gdprport": { "declared": details(activity), "observed": observed(activity) } },
    })
}

/// What is declared of the processing. Without a purpose it stands under a use that says so.
fn privacy(record: &ProcessingRecord, words: &mut Words) -> Value {
    let purpose = record.purpose.as_deref();
    json!({
        "name": purpose.unwrap_or(NO_PURPOSE),
        "data_use": words.key(Kind::Use, purpose.unwrap_or(NO_PURPOSE)),
        "data_categories": words.keys(Kind::Category, record.data.as_deref()),
        "data_subjects": words.keys(Kind::Subject, record.subjects.as_deref()),
        "legal_basis_for_processing": record.basis.as_deref().and_then(known::basis).map(|basis| basis.fides),
        "retention_period": record.retention,
        "processes_special_category_data": record.special_category,
    })
}

fn about(activity: &Activity) -> String {
    let missing = activity.missing();
    let mut text = format!("TCP {}, declared in the policy.", activity.ports().join(", "));
    if !missing.is_empty() {
        text.push_str(&format!(" Not declared: {}.", missing.join(", ")));
    }
    text
}

/// What the manifest has no field for, or only a narrower one: as the policy has it.
fn details(activity: &Activity) -> Value {
    let written = |peers: &[gdprport_core::policy::DeclaredPeer]| {
        peers.iter().map(ToString::to_string).collect::<Vec<String>>()
    };
    let (served, addresses) = match &activity.site {
        Some(DeclaredSite::Local(listen)) => (Some("here"), listen.as_deref().map(written)),
        Some(DeclaredSite::Remote(service)) => (Some("elsewhere"), Some(written(service))),
        None => (None, None),
    };
    let (tls, no_tls) = match &activity.tls {
        TlsDemand::None => (None, None),
        TlsDemand::NotRequired { why } => (None, Some(why.to_string())),
        TlsDemand::AtLeast(version) => (Some(version.name()), None),
    };
    json!({
        "ports": activity.ports(),
        "protocol": activity.protocol,
        "served": served,
        "addresses": addresses,
        "tls_at_least": tls,
        "tls_not_required": no_tls,
        "not_declared": activity.missing(),
        "record": activity.declared,
    })
}

/// What was observed of an activity.
fn observed(activity: &Activity) -> Value {
    let mut value = json!({
        "watched_seconds": activity.coverage.watched_s,
        "period_seconds": activity.coverage.period_s,
        "lost": activity.coverage.lost,
    });
    let Some(found) = &activity.seen else { return value };
    seen::merge(&mut value, seen::used(&found.all));
    let (more, others) = (seen::left_out(activity), found.counterparts.iter().take(seen::MOST));
    let more = json!({
        "outcomes": found.outcomes,
        "encryption": found.shares.0.iter().map(seen::posed).collect::<Vec<Value>>(),
        "other_ends": others.map(seen::counterpart).collect::<Vec<Value>>(),
        "other_ends_only_in_record_json": (more > 0).then_some(more),
    });
    seen::merge(&mut value, more);
    value
}

fn rule_key(system: &str, used: &RuleUse) -> String {
    format!("{system}.{}", key(&used.rule.role))
}

/// The other end of a rule: whoever it allows.
fn other_end(used: &RuleUse, activity: &Activity, system: &str) -> Value {
    let rule = &used.rule;
    let peers: Vec<String> = rule.peers.iter().map(ToString::to_string).collect();
    let process: Vec<Value> =
        rule.process.iter().map(|(key, values)| json!({ "key": key, "values": values })).collect();
    json!({
        "fides_key": rule_key(system, used),
        "organization_fides_key": ORGANIZATION,
        "name": format!("{}: {}", activity.name, rule.role),
        "description": "Whoever the rule of this name allows at the other end of a connection.",
        "system_type": "Peers of a rule",
        "tags": ["gdprport"],
        "privacy_declarations": [],
        "meta": { "gdprport": {
            "declared": {
                "role": rule.role,
                "direction": rule.direction,
                "peers": peers,
                "process": process,
                "until": rule.until.map(|until| until.to_string()),
            },
            "observed": used.used.as_ref().map(seen::used),
        } },
    })
}

/// A service that was seen and that nobody declared: it has no privacy declaration, as nothing is known of one.
fn undeclared(activity: &Activity, host: &str) -> Value {
    let ports = activity.ports();
    json!({
        "fides_key": format!("{}.not-declared.{}.{}", key(host), key(&activity.name), key(&ports.join("-"))),
        "organization_fides_key": ORGANIZATION,
        "name": format!("{} on {host}, not declared", activity.name),
        "description": format!("TCP {}: seen, and not declared in the policy. No purpose is known.", ports.join(", ")),
        "system_type": "Service",
        "tags": ["gdprport", "not-declared"],
        "privacy_declarations": [],
        "meta": { "gdprport": { "observed": observed(activity) } },
    })
}
