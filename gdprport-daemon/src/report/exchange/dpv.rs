//! A record as linked data (JSON-LD 1.1): a catalogue of processing by DPCat with the terms of the Data Privacy Vocabulary (DPV 2).
//!
//! The default graph has what is declared. What was observed is a graph of its own, whose origin (PROV-O) is said in the default
//! graph; terms for it, and for what DPV has none for, are this program's: `urn:gdprport:term:`. The context is inside: nothing has to be
//! fetched to read it.

use std::fmt::Write as _;
use std::io;

use gdprport_core::policy::{Controller, DeclaredPeer, DeclaredSite, ProcessingRecord, TlsDemand};
use gdprport_core::records::{About, Activity, Capacity, Records};
use serde::ser::{Serialize, SerializeMap as _, SerializeSeq as _, Serializer};
use serde_json::{Map, Value, json};

use super::super::words::Lang;
use super::known;
use super::seen;

/// Writes the document.
///
/// # Errors
/// If it cannot be written.
pub(crate) fn dpv(records: &Records, lang: Lang, out: &mut dyn io::Write) -> io::Result<()> {
    let base = format!("urn:gdprport:host:{}", segment(&records.about.host));
    serde_json::to_writer_pretty(&mut *out, &Document(&Graph { records, base, lang }))?;
    out.write_all(b"\n")
}

/// The whole, of which no more than one node is there at a time.
struct Document<'d>(&'d Graph<'d>);

impl Serialize for Document<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut document = serializer.serialize_map(None)?;
        document.serialize_entry("@context", &context())?;
        document.serialize_entry("@graph", self.0)?;
        document.end()
    }
}

/// The default graph.
struct Graph<'g> {
    records: &'g Records,
    base: String,
    lang: Lang,
}

impl Serialize for Graph<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { records, base, lang } = self;
        let about = &records.about;
        let controller = records.controller.as_ref();
        let mut graph = serializer.serialize_seq(None)?;
        let head = [catalogue(records, base, *lang), software(about, base)].into_iter();
        let head =
            head.chain(policy(about, base)).chain(controller.map(|controller| responsible(controller, base)));
        let all = records.activities.iter().map(|activity| declared(activity, controller, base));
        for node in head.chain(all) {
            graph.serialize_element(&seen::without_null(node))?;
        }
        if about.no_ledger.is_none() {
            graph.serialize_element(&Observed(self))?;
        }
        graph.end()
    }
}

/// Names of vocabularies, and the types of values.
fn context() -> Value {
    let typed = |kind: &str| json!({ "@type": kind });
    let mut context = json!({
        "@version": 1.1,
        "dcat": "http://www.w3.org/ns/dcat#",
        "dct": "http://purl.org/dc/terms/",
        "dpcat": "https://w3id.org/dpcat#",
        "dpv": "https://w3id.org/dpv#",
        "eu-gdpr": "https://w3id.org/dpv/legal/eu/gdpr#",
        "gdprport": "urn:gdprport:term:",
        "prov": "http://www.w3.org/ns/prov#",
        "xsd": "http://www.w3.org/2001/XMLSchema#",
    });
    for time in [
        "dct:created",
        "dcat:startDate",
        "dcat:endDate",
        "prov:generatedAtTime",
        "gdprport:first",
        "gdprport:last",
        "gdprport:until",
    ] {
        seen::merge(&mut context, json!({ time: typed("xsd:dateTime") }));
    }
    for link in [
        "dcat:dataset",
        "dct:publisher",
        "prov:wasDerivedFrom",
        "prov:wasAttributedTo",
        "dpv:hasDataController",
        "dpv:hasDataProcessor",
        "dpv:hasLegalBasis",
        "dpv:hasDataSubject",
        "gdprport:of",
    ] {
        seen::merge(&mut context, json!({ link: typed("@id") }));
    }
    context
}

/// A name as a part of an IRI (RFC 3986, 2.3): what is not unreserved is in percent.
fn segment(name: &str) -> String {
    let mut segment = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            segment.push(char::from(byte));
        } else {
            let _ = write!(segment, "%{byte:02X}");
        }
    }
    segment
}

fn id_of(activity: &Activity, base: &str) -> String {
    if activity.is_declared {
        return format!("{base}:activity:{}", segment(&activity.name));
    }
    format!("{base}:not-declared:{}:{}", segment(&activity.name), segment(&activity.ports().join(",")))
}

/// The record as a whole.
fn catalogue(records: &Records, base: &str, lang: Lang) -> Value {
    let about = &records.about;
    let ids: Vec<String> = records.activities.iter().map(|activity| id_of(activity, base)).collect();
    json!({
        "@id": format!("{base}:record"),
        "@type": ["dpcat:ROPA", "dpv:DataProcessingRecord"],
        "dct:title": { "@value": lang.words().title, "@language": lang.tag() },
        "dct:identifier": about.host,
        "dct:created": about.made.to_string(),
        "dct:publisher": records.controller.as_ref().map(|_| format!("{base}:operator")),
        "dcat:dataset": ids,
        "prov:wasDerivedFrom": about.policy.as_ref().map(|_| format!("{base}:policy")),
        "prov:wasAttributedTo": format!("{base}:gdprport"),
        "gdprport:noLedger": about.no_ledger,
    })
}

fn software(about: &About, base: &str) -> Value {
    json!({ "@id": format!("{base}:gdprport"), "@type": "prov:SoftwareAgent", "dct:title": format!("gdprport {}", about.version) })
}

fn policy(about: &About, base: &str) -> Option<Value> {
    let digest = about.policy.as_ref()?;
    Some(
        json!({ "@id": format!("{base}:policy"), "@type": "prov:Entity", "dct:title": "policy", "dct:identifier": digest }),
    )
}

/// Who is responsible. Of a processor's activities it is the processor: which, each activity says.
fn responsible(controller: &Controller, base: &str) -> Value {
    let entity = |kind: &str, reach: &str| json!({ "@type": kind, "dpv:hasContact": reach });
    json!({
        "@id": format!("{base}:operator"),
        "@type": "dpv:LegalEntity",
        "dpv:hasName": controller.name,
        "dpv:hasContact": controller.contact,
        "dpv:hasRepresentative": controller.representative.as_deref().map(|it| entity("dpv:Representative", it)),
        "dpv:hasDataProtectionOfficer": controller.dpo.as_deref().map(|it| entity("dpv:DataProtectionOfficer", it)),
    })
}

/// Words of the policy, each as an instance of a class.
fn instances<T: AsRef<str>>(kind: &str, words: Option<&[T]>) -> Vec<Value> {
    words
        .unwrap_or_default()
        .iter()
        .map(|word| json!({ "@type": kind, "dct:title": word.as_ref() }))
        .collect()
}

/// A declared activity, as an entry of the catalogue.
fn declared(activity: &Activity, controller: Option<&Controller>, base: &str) -> Value {
    let none = ProcessingRecord::default();
    let record = activity.declared.as_deref().unwrap_or(&none);
    let operator = controller.map(|_| format!("{base}:operator"));
    let (controllers, processor): (Vec<Value>, _) = match &activity.capacity {
        Capacity::Controller => (operator.into_iter().map(Value::from).collect(), None),
        Capacity::Processor(others) => {
            let named =
                |name: &std::sync::Arc<str>| json!({ "@type": "dpv:DataController", "dpv:hasName": name });
            (others.iter().map(named).collect(), operator)
        }
    };
    let joint = [controller.and_then(|controller| controller.joint.as_deref()), record.joint.as_deref()];
    let joint: Vec<Value> = joint
        .into_iter()
        .flatten()
        .flatten()
        .map(|name| json!({ "@type": "dpv:DataController", "dpv:hasName": name }))
        .collect();
    let subject = |word: &std::sync::Arc<str>| match known::dpv_subject(word) {
        Some(term) => json!(term),
        None => json!({ "@type": "dpv:DataSubject", "dct:title": word }),
    };
    let basis = |text: &std::sync::Arc<str>| match known::basis(text) {
        Some(basis) => json!(basis.dpv),
        None => json!({ "@type": "dpv:LegalBasis", "dct:title": text }),
    };
    let mut data = instances("dpv:PersonalData", record.data.as_deref());
    if record.special_category == Some(true) {
        data.push(
            json!({ "@type": "dpv:SpecialCategoryPersonalData", "dct:title": "among them, by the policy" }),
        );
    }
    let mut storage = instances("dpv:StorageLocation", record.location.as_deref());
    storage.extend(
        record.retention.iter().map(|text| json!({ "@type": "dpv:StorageDuration", "dct:title": text })),
    );
    let mut node = json!({
        "@id": id_of(activity, base),
        "@type": ["dpcat:ROPARecord", "dcat:Dataset", "dpv:PersonalDataProcess"],
        "dct:title": activity.name,
        "dpv:hasDataController": controllers,
        "dpv:hasDataProcessor": processor,
        "dpv:hasJointDataControllers": (!joint.is_empty())
            .then(|| json!({ "@type": "dpv:JointDataControllers", "dpv:hasDataController": joint })),
        "dpv:hasPurpose": record.purpose.as_ref().map(|it| json!({ "@type": "dpv:Purpose", "dct:title": it })),
        "dpv:hasLegalBasis": record.basis.as_ref().map(basis),
        "dpv:hasDataSubject": record.subjects.iter().flatten().map(subject).collect::<Vec<Value>>(),
        "dpv:hasPersonalData": data,
        "dpv:hasRecipient": instances("dpv:Recipient", record.recipients.as_deref()),
        "dpv:hasProcessing": transfer(record),
        "dpv:hasStorageCondition": storage,
        "dpv:hasTechnicalOrganisationalMeasure":
            instances("dpv:TechnicalOrganisationalMeasure", record.measures.as_deref()),
        "dpv:hasResponsibleEntity": record.owner.as_ref()
            .map(|it| json!({ "@type": "dpv:OrganisationalUnit", "dpv:hasName": it })),
    });
    seen::merge(&mut node, own(activity, record));
    without_empty(node)
}

/// Transfers to third countries, with their safeguards.
fn transfer(record: &ProcessingRecord) -> Option<Value> {
    let transfers = record.transfers.as_deref().filter(|transfers| !transfers.is_empty())?;
    let safeguard = |text: &std::sync::Arc<str>| match known::safeguard(text) {
        Some(known) => json!(known.dpv),
        None => json!({ "@type": "dpv:DataTransferLegalBasis", "dct:title": text }),
    };
    let safeguards: Vec<Value> = record.safeguards.iter().flatten().map(safeguard).collect();
    Some(json!({ "@type": "dpv:Transfer", "dct:title": transfers, "dpv:hasLegalBasis": safeguards }))
}

/// What is declared and DPV has no term for, or none that says the same.
fn own(activity: &Activity, record: &ProcessingRecord) -> Value {
    let written = |peers: &[DeclaredPeer]| peers.iter().map(ToString::to_string).collect::<Vec<String>>();
    let (tls, no_tls) = match &activity.tls {
        TlsDemand::None => (None, None),
        TlsDemand::NotRequired { why } => (None, Some(why)),
        TlsDemand::AtLeast(version) => {
            (Some(json!({ "@type": "dpv:EncryptionInTransfer", "gdprport:atLeast": version.name() })), None)
        }
    };
    let addresses = match &activity.site {
        Some(DeclaredSite::Local(listen)) => listen.as_deref().map(written),
        Some(DeclaredSite::Remote(service)) => Some(written(service)),
        None => None,
    };
    let rules: Vec<Value> = activity
        .rules
        .iter()
        .map(|used| {
            let rule = &used.rule;
            let process = rule.process.iter().map(|(key, values)| format!("{key}: {}", values.join(", ")));
            json!({
                "@type": "dpv:Permission",
                "dct:title": rule.role,
                "gdprport:direction": rule.direction,
                "gdprport:peers": written(&rule.peers),
                "gdprport:process": process.collect::<Vec<String>>(),
                "gdprport:until": rule.until.map(|until| until.to_string()),
            })
        })
        .collect();
    let none = [
        ("recipients", record.recipients.as_deref()),
        ("transfers", record.transfers.as_deref()),
        ("measures", record.measures.as_deref()),
        ("safeguards", record.safeguards.as_deref()),
        ("data", record.data.as_deref()),
    ];
    let none = none.into_iter().filter(|(_, list)| list.is_some_and(<[_]>::is_empty)).map(|(key, _)| key);
    json!({
        "dpv:hasTechnicalMeasure": tls,
        "dpv:hasPermission": rules,
        "gdprport:port": activity.ports(),
        "gdprport:protocol": activity.protocol,
        "gdprport:servedHere": activity.site.as_ref().map(|site| matches!(site, DeclaredSite::Local(_))),
        "gdprport:addresses": addresses,
        "gdprport:tlsNotRequired": no_tls,
        "gdprport:specialCategory": record.special_category,
        "gdprport:impactAssessment": record.dpia,
        // An empty list says that there is none; an absent one says nothing.
        "gdprport:declaredNone": none.collect::<Vec<&str>>(),
        "gdprport:notDeclared": activity.missing(),
    })
}

/// Leaves out lists that are empty: in RDF they would say nothing.
fn without_empty(node: Value) -> Value {
    let Value::Object(fields) = node else { return node };
    let says = |value: &Value| !value.as_array().is_some_and(Vec::is_empty);
    fields.into_iter().filter(|(_, value)| says(value)).collect::<Map<String, Value>>().into()
}

/// What was observed, as a graph of its own.
struct Observed<'g>(&'g Graph<'g>);

impl Serialize for Observed<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut graph = serializer.serialize_map(None)?;
        if let Value::Object(fields) = seen::without_null(of_observed(self.0.records, &self.0.base)) {
            for (key, value) in &fields {
                graph.serialize_entry(key, value)?;
            }
        }
        graph.serialize_entry("@graph", &Observations(self.0))?;
        graph.end()
    }
}

/// Its nodes.
struct Observations<'g>(&'g Graph<'g>);

impl Serialize for Observations<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Graph { records, base, .. } = self.0;
        let mut unique = seen::Unique::new("@id", ":");
        let nodes = records.all().map(|activity| unique.named(observation(activity, base)));
        serializer.collect_seq(nodes.map(seen::without_null))
    }
}

/// What is said of that graph.
fn of_observed(records: &Records, base: &str) -> Value {
    let about = &records.about;
    json!({
        "@id": format!("{base}:observed"),
        "@type": ["prov:Entity", "prov:Bundle"],
        "dct:title": { "@value": "Observed by gdprport, and declared by nobody", "@language": "en" },
        "dct:temporal": {
            "@type": "dct:PeriodOfTime",
            "dcat:startDate": about.from.to_string(),
            "dcat:endDate": about.to.to_string(),
        },
        "prov:generatedAtTime": about.made.to_string(),
        "prov:wasDerivedFrom": { "@id": format!("{base}:ledger"), "@type": "prov:Entity", "dct:title": "ledger" },
        "prov:wasAttributedTo": format!("{base}:gdprport"),
        "gdprport:pseudonyms": about.pseudonyms,
        "gdprport:losses": records.gaps.len(),
    })
}

fn observation(activity: &Activity, base: &str) -> Value {
    let id = id_of(activity, base);
    let mut node = json!({
        "@id": format!("{id}:observation"),
        "@type": "gdprport:Observation",
        "gdprport:of": id,
        "gdprport:declared": activity.is_declared,
        "gdprport:service": activity.name,
        "gdprport:port": activity.ports(),
        "gdprport:watched_seconds": activity.coverage.watched_s,
        "gdprport:period_seconds": activity.coverage.period_s,
        "gdprport:lost": activity.coverage.lost,
    });
    let Some(found) = &activity.seen else { return node };
    seen::merge(&mut node, terms(seen::used(&found.all)));
    // Only what is known to be encrypted is a measure.
    let (encrypted, other): (Vec<_>, Vec<_>) = found.shares.0.iter().partition(|posed| posed.is_encrypted());
    let measure = |posed: &&gdprport_core::records::Posed| {
        let mut value = json!({ "@type": "dpv:EncryptionInTransfer" });
        seen::merge(&mut value, terms(seen::posed(posed)));
        value
    };
    let others = found.counterparts.iter().take(seen::MOST);
    let more = seen::left_out(activity);
    let rest = json!({
        "gdprport:outcomes": terms(json!(found.outcomes)),
        "dpv:hasTechnicalMeasure": encrypted.iter().map(measure).collect::<Vec<Value>>(),
        "gdprport:notEncrypted": other.iter().map(|posed| terms(seen::posed(posed))).collect::<Vec<Value>>(),
        "gdprport:otherEnd": others.map(|other| terms(seen::counterpart(other))).collect::<Vec<Value>>(),
        "gdprport:otherEndsOnlyInRecordJson": (more > 0).then_some(more),
    });
    seen::merge(&mut node, rest);
    without_empty(node)
}

/// Fields as terms of this program. Empty lists say nothing and are left out.
fn terms(value: Value) -> Value {
    let Value::Object(fields) = without_empty(value) else { return Value::Null };
    fields
        .into_iter()
        .map(|(key, value)| (format!("gdprport:{key}"), value))
        .collect::<Map<String, Value>>()
        .into()
}
