//! The ABI between gdprport's kernel programs and its daemon.
//!
//! Belongs here: the layout of ring-buffer records, map values and counters, with the numbers that both
//! sides must agree on. Everything is `repr(C)`, made of integers, without padding, in the byte order of
//! the host. Does not belong here: logic; decoding with its checks is `gdprport_daemon::core::decode`.
//!
//! If a layout or a meaning changes, [`ABI_VERSION`] must change too.

#![no_std]

mod abi;
mod checkpoint;
mod counters;
mod enforce;
mod exec;
mod overload;
mod record;
mod storage;
#[cfg(test)]
mod tests;

pub use abi::{ABI_VERSION, EXEC_ID_SEEDED, PORTS};
pub use checkpoint::{CHECKPOINT_MAGIC, Checkpoint};
pub use counters::{Counters, HOOKS, Hook, HookCounters};
pub use enforce::{
    CLASS_FIRST, CLASS_UNKNOWN, CLASS_UNLISTED, CLASS_WITHHELD, ENFORCE_CGROUP, ENFORCE_DENY,
    ENFORCE_DENY_UNKNOWN, ENFORCE_EXE, ENFORCE_FIRST, ENFORCE_FOREVER, ENFORCE_GID, ENFORCE_LOST_DENIES,
    ENFORCE_LOST_PASSES, ENFORCE_OPEN, ENFORCE_PARTS, ENFORCE_STEPS, ENFORCE_STEPS_CHAIN, ENFORCE_UID,
    ENFORCE_WARN, EXE_PATH, EXE_UNKNOWN, EXE_WITHHELD, EnforceClassKey, EnforceExe, EnforceInForce,
    EnforceOwnKey, EnforcePeer, EnforcePeerKey, EnforcePort, EnforcePortKey, EnforceRule, EnforceRuleKey,
    EnforceStep, EnforceSteps, EnforceStepsKey, EnforceTally, NAME_SERVICE,
};
pub use exec::{ExecHeader, ExecRecord, FILE_CAP, FileState, KernelOffsets, MountOwner};
pub use overload::{
    OVERLOAD_IN, OVERLOAD_NETWORKS, OVERLOAD_OUT, OVERLOAD_PEERS, OVERLOAD_PORTS, OverloadGroup, OverloadKey,
    OverloadSums, PREFIX_V4, PREFIX_V6,
};
pub use record::{
    CgroupRecord, CloseTail, FLAG_FIN_UNACKED, FLAG_GROUPED, FLAG_IO_WORKER, FLAG_OPTMEM_FULL, FLAG_PEER_FIN,
    FLAG_PEER_FIN_UNKNOWN, FLAG_PEER_REPLIED, FailTail, FlowRecord, FlowTail, OpenTail, PATH_CAP,
    PAYLOAD_BUDGET, PAYLOAD_CAP, PAYLOAD_COST, PAYLOAD_COST_SMALL, PAYLOAD_LONG, PAYLOAD_LONG_BUDGET,
    PAYLOAD_SMALL, PAYLOAD_TINY, PayloadHeader, PayloadRecord, RECORD_CAP, RecordKind,
};
pub use storage::{
    Caller, Closing, MptcpOwner, PortFlags, SOCKET_DECISION, SOCKET_DENIED, SOCKET_GROUPED, SOCKET_SYN_SEEN,
    SOCKET_UNKNOWN, SOCKET_WOULD_DENY, SocketOwner, SocketRole, Started, TASK_HEADLESS, TaskIdentity,
};
