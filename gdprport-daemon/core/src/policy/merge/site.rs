//! Where a declared service runs and may be bound.

use super::peers::peers;
use crate::policy::model::{PeerSets, PeerSpec, Site};
use crate::policy::read::RawService;
use crate::written::{At, Loc, OneOrMany, Report, Text, quoted};

/// Where the service of a port runs, by its `service` and `listen`.
pub(super) fn site(
    sets: &PeerSets,
    service: Option<At<RawService>>,
    listen: Option<At<OneOrMany<Text>>>,
    loc: Loc,
    report: &mut Report<'_>,
) -> Site {
    let Some(At { value: RawService::Remote(remote), .. }) = service else {
        let Some(listen) = listen else {
            if !report.is_faulty(loc, "listen") {
                let help = "add `listen = …`, or `listen = [\"any\"]` to say so".to_owned();
                report.warning(loc, "the port has no `listen`, so it may be bound to any address", help);
            }
            return Site::Local(None);
        };
        return Site::Local(Some(listen.value.0.iter().filter_map(|at| bound(at, report)).collect()));
    };
    if let Some(listen) = listen {
        let help = "remove `listen`, or write `service = \"local\"`".to_owned();
        report.error(listen.loc, "a remote service is not bound here", help);
    }
    let remote = peers(&remote, sets, report);
    let expanded = remote.into_iter().flat_map(|At { value, loc }| {
        let members = match &value {
            PeerSpec::Set(name) => sets.members(name).to_vec(),
            _ => vec![value],
        };
        members.into_iter().map(move |value| At { value, loc })
    });
    Site::Remote(expanded.collect())
}

/// One entry of `listen`.
fn bound(text: &At<Text>, report: &mut Report<'_>) -> Option<PeerSpec> {
    match PeerSpec::parse(&text.value) {
        Ok(peer @ (PeerSpec::Any | PeerSpec::Loopback | PeerSpec::Net(_))) => return Some(peer),
        Ok(PeerSpec::Host(_) | PeerSpec::Set(_)) => {
            let help = "write an address, a network, \"loopback\" or \"any\"".to_owned();
            report.error(text.loc, format!("{} is no address to listen on", quoted(&text.value)), help);
        }
        Err((message, help)) => report.error(text.loc, message, help),
    }
    None
}
