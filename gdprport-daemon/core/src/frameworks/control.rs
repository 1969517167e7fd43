//! The controls, by number, each with what it asks for in words of our own. The texts of the frameworks themselves are not repeated:
//! some are not free.
//!
//! Sources: Regulation (EU) 2016/679; PCI DSS 4.0.1; annex of Implementing Regulation (EU) 2024/2690; Delegated Regulation (EU)
//! 2024/1774; ISO/IEC 27001:2022, annex A; AICPA Trust Services Criteria of 2017, points of focus of 2022.

use std::str::FromStr;

use schemars::JsonSchema;
use serde::Serialize;

/// A framework.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Framework {
    /// General Data Protection Regulation.
    Gdpr,
    /// Payment Card Industry Data Security Standard.
    Pci,
    /// The implementing regulation of the NIS2 directive.
    Nis2,
    /// The technical standards of the Digital Operational Resilience Act.
    Dora,
    /// ISO/IEC 27001.
    Iso27001,
    /// Trust Services Criteria, as SOC 2 reports use them.
    Soc2,
}

impl Framework {
    /// All, in the order in which they are shown.
    pub const ALL: [Self; 6] = [Self::Gdpr, Self::Pci, Self::Nis2, Self::Dora, Self::Iso27001, Self::Soc2];

    /// The name on the command line and in files for programs.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Gdpr => "gdpr",
            Self::Pci => "pci",
            Self::Nis2 => "nis2",
            Self::Dora => "dora",
            Self::Iso27001 => "iso27001",
            Self::Soc2 => "soc2",
        }
    }

    /// The name and edition, as people write them.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gdpr => "GDPR, Regulation (EU) 2016/679",
            Self::Pci => "PCI DSS 4.0.1",
            Self::Nis2 => "NIS2, annex of Implementing Regulation (EU) 2024/2690",
            Self::Dora => "DORA, Delegated Regulation (EU) 2024/1774",
            Self::Iso27001 => "ISO/IEC 27001:2022, annex A",
            Self::Soc2 => "SOC 2, Trust Services Criteria of 2017 (2022)",
        }
    }

    /// Its controls that a policy and a ledger have something to say of.
    pub fn controls(self) -> impl Iterator<Item = &'static Control> {
        CONTROLS.iter().filter(move |control| control.framework == self)
    }
}

impl FromStr for Framework {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let asked = text.trim().to_ascii_lowercase();
        Self::ALL.into_iter().find(|framework| framework.id() == asked).ok_or_else(|| {
            let known: Vec<&str> = Self::ALL.iter().map(|framework| framework.id()).collect();
            format!("no such framework; known are {}", known.join(", "))
        })
    }
}

/// What a control asks about, as far as a policy and a ledger have something to say of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Topic {
    /// Which data flows there are, kept up to date.
    Flows,
    /// The same, confirmed by somebody at intervals.
    Scope,
    /// What is allowed, and what it is needed for.
    Allowed,
    /// That what is allowed is reviewed every six months.
    Review,
    /// That nothing else comes in, goes out, or crosses a segment.
    Restricted,
    /// The same of what comes in.
    RestrictedIn,
    /// The same of what goes out.
    RestrictedOut,
    /// The same of what comes from networks that are not trusted.
    Untrusted,
    /// That what is sent is encrypted.
    Encrypted,
    /// Which encryption is asked for and used.
    Suites,
    /// Which keys and certificates are used.
    Certificates,
    /// That what happens on the network is logged.
    Logged,
    /// That somebody looks for what is unusual in it.
    Monitored,
    /// That logs are kept for twelve months, three of them at hand.
    KeptForTwelve,
    /// That logs are kept for the time that the entity has set.
    Kept,
    /// That nobody changes a log unseen.
    Unchanged,
    /// That logs are copied to another system.
    Copied,
    /// That it can be shown what was done.
    Accountable,
}

/// A control of a framework.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Control {
    /// Of which framework.
    pub framework: Framework,
    /// Its number there.
    pub number: &'static str,
    /// What it asks for, in words of our own.
    pub asks: &'static str,
    /// What it asks about.
    pub topic: Topic,
}

const fn control(framework: Framework, number: &'static str, topic: Topic, asks: &'static str) -> Control {
    Control { framework, number, asks, topic }
}

use Framework::{Dora, Gdpr, Iso27001, Nis2, Pci, Soc2};
use Topic::{
    Accountable, Allowed, Certificates, Copied, Encrypted, Flows, Kept, KeptForTwelve, Logged, Monitored,
    Restricted, RestrictedIn, RestrictedOut, Review, Scope, Suites, Unchanged, Untrusted,
};

/// In the order of the frameworks, and there of the numbers.
const CONTROLS: [Control; 47] = [
    control(Gdpr, "Art. 5(2)", Accountable, "The controller can show that the principles are kept"),
    control(Gdpr, "Art. 25", Allowed, "By default only what each purpose needs is processed and accessible"),
    control(Gdpr, "Art. 30(1)", Flows, "A record of processing activities"),
    control(Gdpr, "Art. 30(1)(b)", Allowed, "The purposes of each processing activity"),
    control(Gdpr, "Art. 32(1)(a)", Encrypted, "Encryption of personal data, where it is appropriate"),
    control(Gdpr, "Art. 32(1)(b)", Restricted, "Lasting confidentiality of systems and services"),
    control(Gdpr, "Art. 32(1)(d)", Monitored, "Regular tests of whether the measures work"),
    control(
        Pci,
        "1.2.4",
        Flows,
        "Diagrams of the flows of account data that are accurate and kept up to date",
    ),
    control(Pci, "1.2.5", Allowed, "Every allowed service, protocol and port is known, approved and needed"),
    control(Pci, "1.2.7", Review, "Network controls are reviewed at least every six months"),
    control(Pci, "1.3.1", RestrictedIn, "Into the cardholder data environment comes only what is needed"),
    control(Pci, "1.3.2", RestrictedOut, "Out of the cardholder data environment goes only what is needed"),
    control(Pci, "1.4.2", Untrusted, "From untrusted networks comes only what is allowed"),
    control(Pci, "4.2.1", Encrypted, "Card numbers are strongly encrypted on open, public networks"),
    control(Pci, "4.2.1.1", Certificates, "An inventory of the keys and certificates that protect them"),
    control(Pci, "10.3.2", Unchanged, "Audit logs cannot be changed by individuals"),
    control(
        Pci,
        "10.3.3",
        Copied,
        "Audit logs are backed up promptly to a place where they are hard to change",
    ),
    control(Pci, "10.3.4", Unchanged, "A change of an audit log raises an alert"),
    control(Pci, "10.5.1", KeptForTwelve, "Audit logs are kept for 12 months, the last three at hand"),
    control(
        Pci,
        "12.3.3",
        Suites,
        "Cipher suites and protocols in use are known and reviewed every 12 months",
    ),
    control(Pci, "12.5.2", Scope, "The scope is documented and confirmed at least every 12 months"),
    control(Nis2, "3.2.3(a)", Logged, "Logs have the relevant traffic in and out, where appropriate"),
    control(Nis2, "3.2.5", Kept, "Logs are kept for a time that is set, and protected"),
    control(Nis2, "6.7.2(a)", Flows, "The architecture of the network is documented and up to date"),
    control(Nis2, "6.7.2(c)", Restricted, "Accesses that the operation does not need are prevented"),
    control(Nis2, "6.7.2(f)", Allowed, "Connections and services that are not needed are forbidden or off"),
    control(Nis2, "6.8.2(e)", Restricted, "Within and between zones only what is needed"),
    control(Nis2, "9.2(a)", Encrypted, "Cryptography as the classification of assets asks for"),
    control(Nis2, "9.2(b)", Suites, "Which protocols, algorithms and strengths are approved and used"),
    control(
        Dora,
        "Art. 6(2)",
        Encrypted,
        "A policy on encryption, also of internal connections and of traffic with others",
    ),
    control(Dora, "Art. 13(1)(a)", Restricted, "Systems and networks are segregated and segmented"),
    control(Dora, "Art. 13(1)(b)", Flows, "All network connections and data flows are documented"),
    control(Dora, "Art. 13(1)(e)", Encrypted, "Network connections are encrypted"),
    control(
        Dora,
        "Art. 13(1)(h)",
        Review,
        "Firewall rules and filters have roles, approvals and regular reviews",
    ),
    control(Iso27001, "A.8.15", Logged, "Logs are made, kept, protected and analysed"),
    control(Iso27001, "A.8.16", Monitored, "Networks and systems are monitored for what is unusual"),
    control(Iso27001, "A.8.20", Flows, "Networks are managed and controlled"),
    control(Iso27001, "A.8.21", Allowed, "Network services are known, with their security requirements"),
    control(Iso27001, "A.8.22", Restricted, "Groups of services and systems are segregated"),
    control(Iso27001, "A.8.24", Encrypted, "Rules for cryptography are set and followed"),
    control(Soc2, "CC6.1", Flows, "Logical access to information is restricted; it is known which there is"),
    control(Soc2, "CC6.6", Untrusted, "Access from outside the boundary is limited"),
    control(Soc2, "CC6.7", Encrypted, "Information is protected while it is transmitted"),
    control(Soc2, "CC7.1", Review, "Changes of the configuration that bring in weaknesses are found"),
    control(Soc2, "CC7.2", Monitored, "Systems are monitored for what is unusual"),
    control(Soc2, "CC7.3", Logged, "Security events are evaluated"),
    control(Soc2, "CC8.1", Review, "Changes are approved, documented and tested"),
];
