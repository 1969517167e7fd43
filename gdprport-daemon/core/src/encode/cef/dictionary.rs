//! The keys that are used, with the limits of the standard's extension dictionary (“Extension Dictionary for Event
//! Producers”). Limits are in bytes here: of a text beyond ASCII fewer characters may be kept than the standard allows.

/// A key for text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Text {
    pub(super) name: &'static str,
    /// Bytes of its value before escapes.
    pub(super) limit: usize,
}

/// A key for whole numbers, addresses or times.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plain {
    pub(super) name: &'static str,
}

/// A key whose meaning its label says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Custom<Key> {
    pub(super) key: Key,
    pub(super) label: &'static str,
}

macro_rules! texts {
    ($($(#[doc = $doc:literal])* $constant:ident = $name:literal, $limit:literal;)+) => {
        $($(#[doc = $doc])* pub(super) const $constant: Text = Text { name: $name, limit: $limit };)+
        /// All keys for text.
        #[cfg(test)]
        pub(super) const TEXTS: &[Text] = &[$($constant),+];
    };
}

macro_rules! plain {
    ($($constant:ident = $name:literal;)+) => {
        $(pub(super) const $constant: Plain = Plain { name: $name };)+
        /// All keys for whole numbers, addresses or times.
        #[cfg(test)]
        pub(super) const PLAIN: &[Plain] = &[$($constant),+];
    };
}

texts! {
    /// What was done, or would have been.
    ACT = "act", 63;
    APP = "app", 31;
    CAT = "cat", 1023;
    CS1 = "cs1", 4000;
    CS2 = "cs2", 4000;
    CS3 = "cs3", 4000;
    CS4 = "cs4", 4000;
    CS5 = "cs5", 4000;
    CS6 = "cs6", 4000;
    DEVICE_EXTERNAL_ID = "deviceExternalId", 255;
    DEVICE_PROCESS_NAME = "deviceProcessName", 1023;
    DHOST = "dhost", 1023;
    DPROC = "dproc", 1023;
    DSERVICE = "destinationServiceName", 1023;
    DUID = "duid", 1023;
    DUSER = "duser", 1023;
    DVCHOST = "dvchost", 100;
    EXTERNAL_ID = "externalId", 40;
    FILE_HASH = "fileHash", 255;
    FILE_PATH = "filePath", 1023;
    FLEX1 = "flexString1", 1023;
    FLEX2 = "flexString2", 1023;
    MSG = "msg", 1023;
    OLD_FILE_HASH = "oldFileHash", 255;
    OUTCOME = "outcome", 63;
    PROTO = "proto", 31;
    REASON = "reason", 1023;
    SHOST = "shost", 1023;
    SPROC = "sproc", 1023;
    SSERVICE = "sourceServiceName", 1023;
    SUID = "suid", 1023;
    SUSER = "suser", 1023;
}

plain! {
    C6A2 = "c6a2";
    C6A3 = "c6a3";
    CN1 = "cn1";
    CN2 = "cn2";
    CN3 = "cn3";
    CNT = "cnt";
    DATE1 = "deviceCustomDate1";
    DIRECTION = "deviceDirection";
    DPID = "dpid";
    DPT = "dpt";
    DST = "dst";
    DST_TRANSLATED = "destinationTranslatedAddress";
    DPT_TRANSLATED = "destinationTranslatedPort";
    DVCPID = "dvcpid";
    END = "end";
    IN = "in";
    OUT = "out";
    RT = "rt";
    SPID = "spid";
    SPT = "spt";
    SPT_TRANSLATED = "sourceTranslatedPort";
    SRC = "src";
    SRC_TRANSLATED = "sourceTranslatedAddress";
    START = "start";
    TYPE = "type";
}

/// `declared`, `violation`, `undecided`.
pub(super) const VERDICT: Custom<Text> = Custom { key: CS1, label: "verdict" };
/// The name of the port's declaration.
pub(super) const PORT: Custom<Text> = Custom { key: CS2, label: "port" };
/// The role of the rule that allows it.
pub(super) const RULE: Custom<Text> = Custom { key: CS3, label: "rule" };
/// The role of the rule that came closest.
pub(super) const NEAREST: Custom<Text> = Custom { key: CS3, label: "nearestRule" };
/// Name or id of the container.
pub(super) const CONTAINER: Custom<Text> = Custom { key: CS4, label: "container" };
/// What a finding of an audit is about: an address or network.
pub(super) const ADDRESS: Custom<Text> = Custom { key: CS4, label: "address" };
/// The reasons of gaps.
pub(super) const GAPS: Custom<Text> = Custom { key: CS4, label: "gaps" };
/// The network of the peers that are counted together.
pub(super) const PEERS: Custom<Text> = Custom { key: CS5, label: "peerNetwork" };
/// A sink of the deliverer.
pub(super) const SINK: Custom<Text> = Custom { key: CS4, label: "sink" };
/// Hooks that are not in use.
pub(super) const MISSING_HOOKS: Custom<Text> = Custom { key: CS4, label: "missingHooks" };
/// A signed note, without the last line feed.
pub(super) const CHECKPOINT: Custom<Text> = Custom { key: CS5, label: "checkpoint" };
/// Community ID.
pub(super) const COMMUNITY_ID: Custom<Text> = Custom { key: CS5, label: "communityId" };
/// What is the same in all events about the same finding of an audit.
pub(super) const FINGERPRINT: Custom<Text> = Custom { key: CS5, label: "fingerprint" };
/// The digest of the active policy.
pub(super) const POLICY: Custom<Text> = Custom { key: CS6, label: "policy" };
/// The state of the encryption.
pub(super) const ENCRYPTION: Custom<Text> = Custom { key: FLEX1, label: "encryption" };
/// How the process is known.
pub(super) const ATTRIBUTION: Custom<Text> = Custom { key: FLEX2, label: "attribution" };
/// Why connections were counted where there was no room to describe each.
pub(super) const OVERLOAD: Custom<Text> = Custom { key: FLEX2, label: "overload" };
/// Number within the run.
pub(super) const SEQUENCE: Custom<Plain> = Custom { key: CN1, label: "sequence" };
/// Milliseconds.
pub(super) const DURATION: Custom<Plain> = Custom { key: CN2, label: "durationMs" };
/// The line in the policy.
pub(super) const LINE: Custom<Plain> = Custom { key: CN2, label: "line" };
/// Entries of the evidence log.
pub(super) const ENTRIES: Custom<Plain> = Custom { key: CN2, label: "entries" };
/// What was lost.
pub(super) const LOST: Custom<Plain> = Custom { key: CN2, label: "lost" };
/// Segments sent again.
pub(super) const RETRANSMITS: Custom<Plain> = Custom { key: CN3, label: "retransmits" };
/// Events that there was an occasion for.
pub(super) const RECEIVED: Custom<Plain> = Custom { key: CN3, label: "received" };
/// The last day on which exceptions accept the violation, its beginning.
pub(super) const ACCEPTED_UNTIL: Custom<Plain> = Custom { key: DATE1, label: "acceptedUntil" };
/// Where IPv6 addresses go; `src` and `dst` are for IPv4.
pub(super) const SOURCE_V6: Custom<Plain> = Custom { key: C6A2, label: "Source IPv6 Address" };
/// The same of the destination.
pub(super) const DESTINATION_V6: Custom<Plain> = Custom { key: C6A3, label: "Destination IPv6 Address" };
