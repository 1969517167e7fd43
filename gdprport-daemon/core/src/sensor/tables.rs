//! The sensor's tables, each with its keys.

use schemars::JsonSchema;

use super::scalar::{
    Count, Days, Interval, Ipv4Bits, Ipv6Bits, KeyPlace, LabelPattern, LedgerBytes, NamedPath, Peers,
    RingBytes, Several, SpoolBytes, SpoolKeep, SpoolSync, Subject, UndecidedBytes,
};
use crate::written::{AbsolutePath, At, Loopback, Node, Read, Report, TableReader, tables};

tables! {
    /// How the sensor runs.
    "the configuration" => struct RawSensor as "Sensor" {
        required {}
        optional {
            /// Where events go.
            events: RawEvents,
            /// How much is remembered.
            limits: RawLimits,
            /// How often things are checked and reported.
            intervals: RawIntervals,
            /// Where containers are looked up.
            containers: RawContainers,
            /// What leaves the daemon instead of addresses and users.
            privacy: RawPrivacy,
            /// Where the ledger is, and how much it keeps.
            ledger: RawLedger,
            /// Where the metrics are served beside the control socket.
            metrics: RawMetrics,
            /// Where events wait for receivers on the network, and how many.
            spool: RawSpool,
            /// Where the evidence log is, and how long its entries are kept.
            evidence: RawEvidence,
            /// What the daemon refuses itself once it runs.
            sandbox: RawSandbox,
        }
        later {}
    }

    /// Where events go, unless the command line says otherwise.
    "`[events]`" => struct RawEvents as "Events" {
        required {}
        optional {
            /// A file of JSON lines.
            file: NamedPath,
            /// The systemd journal.
            journald: bool,
            /// Which labels of a container events show, by patterns of their keys.
            labels: Several<LabelPattern>,
            /// Events that may wait for each way out; beyond it they are dropped and counted.
            queue: Count,
        }
        later {}
    }

    /// How much is remembered.
    "`[limits]`" => struct RawLimits as "Limits" {
        required {}
        optional {
            /// Open flows.
            flows: Count,
            /// Bytes that the first bytes of flows may take together while it is not decided how they are encrypted.
            undecided_bytes: UndecidedBytes,
            /// Bytes of the ring buffer between kernel and daemon; a power of two.
            ring_bytes: RingBytes,
            /// Processes whose identity the kernel side keeps.
            tasks: Count,
            /// Executables whose name the kernel side keeps.
            execs: Count,
        }
        later {}
    }

    /// How often things are checked and reported.
    "`[intervals]`" => struct RawIntervals as "Intervals" {
        required {}
        optional {
            /// Between two `flow.update` of a long-lived flow.
            flow_update: Interval,
            /// Between two rounds of resolving host names.
            names: Interval,
            /// Between two `coverage` events when nothing is lost.
            coverage: Interval,
        }
        later {}
    }

    /// How containers are looked up.
    "`[containers]`" => struct RawContainers as "Containers" {
        required {}
        optional {
            /// Whether their names are looked up.
            lookup: bool,
            /// Directories with the state of runtimes beside those that are known.
            state: Several<AbsolutePath>,
        }
        later {}
    }

    /// What leaves the daemon instead of addresses and users.
    "`[privacy]`" => struct RawPrivacy as "Privacy" {
        required {}
        optional {
            /// What is shown by pseudonyms.
            pseudonymise: Vec<At<Subject>>,
            /// The file with their key.
            key: NamedPath,
            /// How much is kept of addresses of peers.
            truncate: RawTruncate,
        }
        later {}
    }

    /// Both are written: an address of the family that was forgotten would leave whole.
    "`truncate`" => struct RawTruncate as "Truncate" {
        required {
            /// Bits of IPv4.
            ipv4: Ipv4Bits = "24",
            /// Bits of IPv6.
            ipv6: Ipv6Bits = "48",
        }
        optional {}
        later {}
    }

    /// Whether and where a ledger is kept, and how much of it.
    "`[ledger]`" => struct RawLedger as "Ledger" {
        required {}
        optional {
            /// Whether there is one.
            enabled: bool,
            /// The database.
            path: NamedPath,
            /// Days that are kept.
            keep: Days,
            /// Bytes that the database may have.
            max_size: LedgerBytes,
            /// Addresses kept one by one for a day, port, direction and identity.
            peers: Peers,
        }
        later {}
    }

    /// Where the metrics are served beside the control socket.
    "`[metrics]`" => struct RawMetrics as "Metrics" {
        required {}
        optional {
            /// An address of this host alone: metrics name ports and sinks, and nothing asks who reads them.
            listen: Loopback,
        }
        later {}
    }

    /// Whether and where a spool is written, how much of it is kept, and when it is on the disk.
    "`[spool]`" => struct RawSpool as "Spool" {
        required {}
        optional {
            /// Whether there is one. Not given: if there is a `[[sink]]`, for that reads it.
            enabled: bool,
            /// Its directory.
            path: NamedPath,
            /// Bytes that it may have.
            max_size: SpoolBytes,
            /// For how long events are kept.
            keep: SpoolKeep,
            /// When what was written is on the disk.
            sync: SpoolSync,
        }
        later {}
    }

    /// What the daemon refuses itself once it runs.
    "`[sandbox]`" => struct RawSandbox as "Sandbox" {
        required {}
        optional {
            /// System calls that it never makes.
            system_calls: bool,
            /// To threads that only write, all files but those beside their own.
            files: bool,
        }
        later {}
    }

    /// Whether and where an evidence log is kept, which proves what was emitted, and how long its entries are kept.
    "`[evidence]`" => struct RawEvidence as "Evidence" {
        required {}
        optional {
            /// Whether there is one.
            enabled: bool,
            /// Its directory.
            path: NamedPath,
            /// The file of its private key, which is made if there is none, or the credential that systemd passes.
            key: KeyPlace,
            /// Days that entries are kept.
            keep: Days,
            /// Bytes that entries may have: beyond it the oldest are erased.
            max_size: LedgerBytes,
        }
        later {}
    }
}
