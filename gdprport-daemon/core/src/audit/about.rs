//! What each finding means, for people who read it elsewhere than beside the policy: reports and the reference.

use super::finding::{FindingId, Severity};

/// What a finding means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct About {
    /// In a few words, as a title.
    pub title: &'static str,
    /// When it is found, one sentence.
    pub when: &'static str,
    /// What settles it, one sentence.
    pub remedy: &'static str,
    /// What of the law it serves as evidence for; empty: nothing in particular. Whether it suffices an auditor judges.
    pub law: &'static str,
    /// The severity that it usually has.
    pub usual: Severity,
}

impl FindingId {
    /// What it means.
    #[must_use]
    #[expect(clippy::too_many_lines, reason = "one table")]
    pub const fn about(self) -> About {
        let (title, when, remedy, law, usual) = match self {
            Self::UndeclaredListener => (
                "Undeclared listener",
                "A port of the catalog, or one that is declared to be served elsewhere, listens on this host, and no declaration says that it is served here.",
                "Stop the service, or declare the port.",
                "Art. 30(1) GDPR",
                Severity::Medium,
            ),
            Self::ShadowService => (
                "Shadow service",
                "A service of the catalog, known by its executable or its first bytes, listens on a port that neither the policy nor the catalog knows, so that none of its flows is watched.",
                "Stop the service, or declare the port.",
                "Art. 30(1), 32 GDPR",
                Severity::Medium,
            ),
            Self::ExposedListener => (
                "Exposed listener",
                "A declared port is bound where its `listen` does not allow it, or, without a `listen`, to every address of the host or to one that is routed publicly.",
                "Bind the service to the addresses that need it, or declare that it is meant to be reached there.",
                "Art. 25(2), 32 GDPR",
                Severity::High,
            ),
            Self::PortWithoutListener => (
                "Declared port without a listener",
                "Nothing listened on a port that is declared to be served here, while it was watched without a loss.",
                "Remove the declaration, or start the service.",
                "Art. 30(1) GDPR",
                Severity::Low,
            ),
            Self::UnusedRule => (
                "Unused rule",
                "A rule allowed nothing while its port was watched without a loss.",
                "Remove the rule, or accept it with a reason.",
                "Art. 25(2), 32 GDPR",
                Severity::Low,
            ),
            Self::BroadRule => (
                "Broad rule",
                "A rule allows any address, or at least 256 times as many as used it.",
                "Allow the addresses that need it.",
                "Art. 25(2), 32 GDPR",
                Severity::Low,
            ),
            Self::RuleWithoutProcess => (
                "Rule for any process",
                "A rule names no process, and the same few programs used it.",
                "Name the process in the rule.",
                "Art. 25(2), 32 GDPR",
                Severity::Low,
            ),
            Self::RuleExpired => (
                "Expired rule",
                "A rule is past its `until`.",
                "Remove the rule, or extend it if it is still needed.",
                "",
                Severity::Low,
            ),
            Self::RuleExpiring => (
                "Expiring rule",
                "A rule ends within 30 days.",
                "Extend the rule if it is still needed, otherwise let it end.",
                "",
                Severity::Low,
            ),
            Self::TlsNotDemanded => (
                "No demand on encryption",
                "A declared port whose protocol can be encrypted neither demands TLS nor says why not.",
                "Demand TLS, or state why none is needed.",
                "Art. 32(1)(a) GDPR",
                Severity::Medium,
            ),
            Self::PlaintextSeen => (
                "Unencrypted connections",
                "Connections were not encrypted, or the server refused to encrypt them, and the policy does not say why that is right.",
                "Have servers and clients insist on TLS, and demand it.",
                "Art. 32(1)(a) GDPR",
                Severity::High,
            ),
            Self::WeakTlsSeen => (
                "Weakly encrypted connections",
                "Connections were encrypted by SSL 2 to TLS 1.1, by a broken cipher suite, or by an older TLS than the port demands.",
                "Switch the old versions and suites off in servers and clients.",
                "Art. 32(1)(a) GDPR",
                Severity::Medium,
            ),
            Self::CertificateExpiring => (
                "Expiring certificate",
                "The certificate that a server showed last ends within 30 days, or has ended. TLS shows certificates up to version 1.2 only.",
                "Renew the certificate.",
                "Art. 32(1)(a) GDPR",
                Severity::Medium,
            ),
            Self::RecordIncomplete => (
                "Incomplete record of processing",
                "What Art. 30(1)(a) to (f) GDPR asks for is missing: a record, some of its keys, or the controller and how to reach it.",
                "Complete the record: only the controller knows what belongs there.",
                "Art. 30(1) GDPR",
                Severity::Medium,
            ),
            Self::SpecialCategoryUnprotected => (
                "Special categories of data without protection",
                "A port whose record names special categories of data demands no encryption, or connections from other hosts were unencrypted or weakly encrypted.",
                "Demand TLS, and have servers and clients insist on it.",
                "Art. 9, 32 GDPR",
                Severity::High,
            ),
            Self::ThirdCountryCandidate => (
                "Possible transfer to a third country",
                "A port has moved data with public addresses that are in a third country by the controller's own file, and the record's `transfers` do not name it. It is a candidate: people judge what it is.",
                "Declare the transfer with its safeguards, or end it.",
                "Art. 30(1)(e), 44 GDPR",
                Severity::Medium,
            ),
            Self::UnusualVolume => (
                "Unusual volume",
                "In an hour a rule sent, received or had connections far more than in such hours of the weeks before, of which there are at least three.",
                "Find out what was moved, by whom and why.",
                "Art. 32, 33 GDPR",
                Severity::Medium,
            ),
            Self::CoverageGap => (
                "Gap of coverage",
                "Something was lost, or no daemon watched.",
                "Mend the cause; until then nothing is claimed for that time.",
                "Art. 5(2) GDPR",
                Severity::Medium,
            ),
            Self::PolicyChanged => (
                "Changed policy",
                "Another policy was applied in the period.",
                "Nothing, if the change was meant.",
                "Art. 5(2) GDPR",
                Severity::Info,
            ),
            Self::ExceptionExpiring => (
                "Exception that ends or is not needed",
                "An exception has ended, ends within 30 days, or matches nothing.",
                "Decide again and state until when, or remove it.",
                "Art. 5(2) GDPR",
                Severity::Low,
            ),
            Self::UnattributedFlows => (
                "Connections of nobody known",
                "It is not known which process connections belonged to.",
                "See `gdprport doctor` for what the kernel does not show, and start the daemon before the service.",
                "Art. 5(2) GDPR",
                Severity::Low,
            ),
            Self::NotEnforcing => (
                "Port that is not enforced",
                "Connections that no rule allows were made on a port whose mode is to deny them.",
                "See `gdprport daemon status` for what is not enforced or unknown.",
                "Art. 32 GDPR",
                Severity::Medium,
            ),
        };
        About { title, when, remedy, law, usual }
    }
}
