//! What one `[[exception]]` means.

use super::intern::Interner;
use super::peers::peers;
use super::rule::spec;
use crate::catalog;
use crate::policy::model::{Exception, Model, PortKey};
use crate::policy::read::{PortRef, RawException};
use crate::written::{At, Report, quoted};

/// How many exceptions a policy may have: each is compared with every violation of its reason.
const EXCEPTIONS_MAX: usize = 1024;

/// Adds one exception; one that cannot be used was reported.
pub(super) fn add(
    raw: At<RawException>,
    model: &mut Model,
    interner: &mut Interner,
    report: &mut Report<'_>,
) {
    let At { value: raw, loc } = raw;
    let before = report.errors();
    let port = raw.port.and_then(|port| port_key(port, model, interner, report));
    let written = raw.peers.as_ref().map(|peers| peers.loc);
    let peers = raw.peers.map(|written| peers(&written.value, &model.sets, report));
    let process = raw.process.and_then(|written| spec(written, interner, report));
    let (Some(finding), Some(why), Some(by), Some(until)) =
        (raw.finding, raw.why, raw.accepted_by, raw.until)
    else {
        return;
    };
    // What is not usable would otherwise make the exception a wider one.
    if report.errors() > before || ["port", "peers", "process"].iter().any(|key| report.is_faulty(loc, key)) {
        return;
    }
    let id = quoted(finding.value.id);
    if let (Some(reason), Some(peers)) = (finding.value.reason, written)
        && reason.is_of_listeners()
    {
        let help = "remove `peers`, or name the process".to_owned();
        report.warning(peers, format!("a listener has no peer, so no {id} is accepted"), help);
    }
    if port.is_none() && peers.is_none() && process.is_none() {
        let help = "name the `port`, `peers` or `process` that it is about".to_owned();
        report.warning(finding.loc, format!("every {id} of this host is accepted"), help);
    }
    if model.exceptions.len() == EXCEPTIONS_MAX {
        report.error(loc, format!("the policy has more than {EXCEPTIONS_MAX} exceptions"), None);
    }
    if model.exceptions.len() >= EXCEPTIONS_MAX {
        return;
    }
    model.exceptions.push(Exception {
        table: loc,
        finding: finding.value,
        port,
        peers: peers.map(|peers| peers.into_iter().map(|peer| peer.value).collect()),
        process,
        why: interner.text(&why.value),
        accepted_by: interner.text(&by.value),
        until: until.value.day,
        end: At { value: until.value.end, loc: until.loc },
    });
}

fn port_key(
    port: At<PortRef>,
    model: &Model,
    interner: &mut Interner,
    report: &mut Report<'_>,
) -> Option<PortKey> {
    let name = match port.value {
        PortRef::Number(number) => return Some(PortKey::Number(number)),
        PortRef::Name(name) => name,
    };
    let declared = || model.declarations.iter().map(|declared| &*declared.name);
    if declared().any(|known| known == &*name) || catalog::by_id(&name).is_some() {
        return Some(PortKey::Name(interner.text(&name)));
    }
    let known = declared().chain(catalog::SERVICES.iter().map(|service| service.id));
    let help = report.did_you_mean(&name, known).unwrap_or_else(|| {
        "write the name of a declared port or of one of the catalog, or a number without quotes".to_owned()
    });
    report.missing(port.loc, format!("no port is named {}", quoted(&name)), help);
    None
}
