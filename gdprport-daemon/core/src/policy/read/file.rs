//! The policy file as it is written: every table and key, with its place.
//!
//! Belongs here: the file's grammar. Tables that may stand in one line are `inline`'s, single values are `scalar`'s;
//! what they mean together (clashes, references, bounds) is `merge`'s.

use schemars::JsonSchema;

use super::acceptable::{Acceptable, LastDay, PortRef};
use super::enforce::RawEnforce;
use super::inline::RawVolume;
use super::labels::LabelTable;
use super::scalar::{AccountText, CatalogProtocol, FormatVersion, PortRange, RawService};
use crate::model::Direction;
use crate::policy::declared::{Emit, TlsDemand};
use crate::policy::enforcement::Mode;
use crate::written::tables;
use crate::written::{At, Loc, Report};
use crate::written::{Named, Node, OneOrMany, Period, Read, TableReader, Text, Until};

tables! {
    /// A gdprport policy: which TCP ports carry personal data, and who may talk through them.
    "the policy" => struct RawPolicy as "Policy" {
        required {
            /// The version of this format.
            #[expect(dead_code, reason = "there is one version only, and reading it is the check")]
            version: FormatVersion = "1",
        }
        optional {
            /// Who answers for the data (Art. 30(1)(a) GDPR).
            controller: RawController,
            /// Peers that are named once and used in rules: networks, addresses, host names, `loopback`.
            peers: Named<OneOrMany<Text>>,
            /// The declared ports.
            port: Vec<At<RawPort>>,
            /// Rules added to ports that are declared elsewhere, such as in another file.
            allow: Vec<At<RawRule>>,
            /// Findings and violations that somebody accepted, for a time.
            exception: Vec<At<RawException>>,
        }
        later {}
    }

    /// Who answers for the data (Art. 30(1)(a) GDPR).
    "the controller" => struct RawController as "Controller" {
        required {
            /// Name of the controller.
            name: Text = "\"Example GmbH\"",
        }
        optional {
            /// How to reach the controller.
            contact: Text,
            /// How to reach the data protection officer.
            dpo: Text,
            /// Who is responsible together with the controller (Art. 26 GDPR), for every port.
            joint: Vec<At<Text>>,
            /// The controller's representative in the Union (Art. 27 GDPR).
            representative: Text,
            /// A file of networks and their countries, for candidates of transfers to third countries: an absolute path.
            countries: Text,
            /// How long after becoming aware of a breach the controller has to notify it; without it the 72 hours of Art. 33(1) GDPR.
            notify_within: Period,
        }
        later {}
    }

    /// A declaration: one service that carries personal data.
    "a port" => struct RawPort as "Port" {
        required {
            /// The declaration's name, unique in the policy.
            name: Text = "\"customers-db\"",
            /// A number, a range such as "5432-5439", or a list of them.
            port: OneOrMany<PortRange> = "5432",
        }
        optional {
            /// "local" (the default): served on this host. Otherwise the networks and host names of the remote
            /// service that this host calls.
            service: RawService,
            /// Where it may be bound: addresses, networks, "loopback" or "any".
            listen: OneOrMany<Text>,
            /// The protocol, from the catalog.
            protocol: CatalogProtocol,
            /// What is demanded of the encryption: a least version, or that none is required and why.
            tls: TlsDemand,
            /// What is done about connections that no rule allows: they are reported, reported as denied by a trial, or denied.
            mode: Mode,
            /// How they are denied.
            enforce: RawEnforce,
            /// Which events are written.
            emit: Emit,
            /// The record of processing (Art. 30(1)(b)–(g) GDPR).
            record: RawRecord,
            /// The rules: who may talk, with whom, in which direction.
            allow: Vec<At<RawRule>>,
        }
        later {}
    }

    /// The record of processing (Art. 30(1)(b)–(g) GDPR): declared, never inferred.
    "a record" => struct RawRecord as "Record" {
        required {}
        optional {
            /// The purposes of the processing (Art. 30(1)(b)).
            purpose: Text,
            /// The legal basis (Art. 6(1)).
            basis: Text,
            /// The categories of data subjects (Art. 30(1)(c)).
            subjects: OneOrMany<Text>,
            /// The categories of personal data (Art. 30(1)(c)).
            data: OneOrMany<Text>,
            /// Whether special categories of data (Art. 9) are among them.
            special_category: bool,
            /// The categories of recipients (Art. 30(1)(d)); an empty list says that there are none.
            recipients: Vec<At<Text>>,
            /// Transfers to third countries (Art. 30(1)(e)); an empty list says that there are none.
            transfers: Vec<At<Text>>,
            /// The time limits for erasure (Art. 30(1)(f)).
            retention: Text,
            /// Technical and organisational security measures (Art. 30(1)(g)).
            measures: Vec<At<Text>>,
            /// The team that answers for the service.
            owner: Text,
            /// The controllers for whom the data are processed (Art. 30(2)(a)).
            on_behalf_of: Vec<At<Text>>,
            /// Who is responsible together with the controller (Art. 26), for this port.
            joint: Vec<At<Text>>,
            /// Safeguards of transfers to third countries (Art. 30(1)(e)).
            safeguards: Vec<At<Text>>,
            /// Where the data are kept: sites, countries.
            location: OneOrMany<Text>,
            /// The data protection impact assessment (Art. 35): where it is, or why there is none.
            dpia: Text,
        }
        later {}
    }

    /// A rule: who may talk, with whom, in which direction.
    "a rule" => struct RawRule as "Rule" {
        required {
            /// Why this one may talk; unique for its port and named in every event.
            role: Text = "\"orders-api\"",
            /// "in": accepted here; "out": connected from here.
            direction: Direction = "\"in\"",
            /// Names from `[peers]`, networks, addresses, host names, "loopback" or "any".
            peers: OneOrMany<Text> = "[\"10.0.2.0/24\"]",
        }
        optional {
            /// In a top-level `[[allow]]` only, and required there: the name of the port the rule is added to.
            port: Text,
            /// What the process must be; every given key must match. Without it, any process.
            process: RawProcess,
            /// The last day (UTC) or the last moment at which the rule is valid.
            until: Until,
            /// How much the rule may move in a window, both ways and all its flows together; beyond it: `volume-exceeded`.
            volume: RawVolume,
        }
        later {}
    }

    /// A finding or violation that somebody accepted: shown as accepted until its end, and never hidden.
    "an exception" => struct RawException as "Exception" {
        required {
            /// The id of a finding of `gdprport audit`, or the reason of a violation.
            finding: Acceptable = "\"undeclared-peer\"",
            /// Why it is accepted.
            why: Text = "\"…\"",
            /// Who accepted it.
            accepted_by: Text = "\"privacy@example.org\"",
            /// The last day (UTC) on which it is accepted.
            until: LastDay = "2027-01-31",
        }
        optional {
            /// On this port only: the name of a declaration or of the catalog, or a number.
            port: PortRef,
            /// With these peers only, written as in a rule.
            peers: OneOrMany<Text>,
            /// Of these processes only, written as in a rule.
            process: RawProcess,
        }
        later {}
    }

    /// What a process must be. Patterns may use `*` (not across `/`), `**`, `?`, `[…]` and `{…}`.
    "`process`" => struct RawProcess as "Process" {
        required {}
        optional {
            /// Path of the executable file.
            exe: OneOrMany<Text>,
            /// User name or number.
            user: OneOrMany<AccountText>,
            /// Group name or number.
            group: OneOrMany<AccountText>,
            /// systemd unit.
            unit: OneOrMany<Text>,
            /// Name or id of the container, or uid of its Kubernetes pod.
            container: OneOrMany<Text>,
            /// The container's image: `orders`, `registry.example/shop/orders:1.*`, `sha256:…`. What is not given is not asked.
            image: OneOrMany<Text>,
            /// Labels of the container or its pod, every one of which must match.
            label: LabelTable,
            /// Name or uid of the Kubernetes pod.
            pod: OneOrMany<Text>,
            /// Kubernetes namespace.
            namespace: OneOrMany<Text>,
            /// Kubernetes workload: its name, or its kind and name as in `Deployment/orders`.
            workload: OneOrMany<Text>,
            /// Users whose word about a container counts beside root's.
            stated_by: OneOrMany<AccountText>,
            /// Path of the cgroup below the cgroup root.
            cgroup: OneOrMany<Text>,
        }
        later {}
    }
}

impl RawPolicy {
    /// Reads one file. Syntax errors are reported and what could be recovered is read all the same.
    pub(crate) fn parse(index: usize, report: &mut Report<'_>) -> Self {
        let document = report.document(index);
        let start = Loc { source: index, start: 0, end: 0 };
        Self::take(TableReader::of(document.get_ref(), start, "the policy", report))
    }
}
