//! The catalog of hooks: what each provides, since which kernel, and what is lost without it.

use aya::programs::CgroupSkbAttachType;

/// How a hook is attached.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Attach {
    /// `BPF_PROG_TYPE_CGROUP_SOCK_ADDR` at the cgroup2 root.
    SockAddr,
    /// `BPF_PROG_TYPE_CGROUP_SOCK` at the cgroup2 root.
    Sock,
    /// `BPF_PROG_TYPE_SOCK_OPS` at the cgroup2 root.
    SockOps,
    /// `BPF_PROG_TYPE_CGROUP_SKB` at the cgroup2 root, for packets that leave or arrive.
    Skb(CgroupSkbAttachType),
    /// A tracepoint, `category/name`.
    Tracepoint(&'static str, &'static str),
    /// The return of a kernel function, with a program for each signature that it has in some kernel; the verifier
    /// accepts one of them.
    Return(&'static str, &'static [&'static str]),
}

/// What it means that a hook is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// The daemon cannot run without it.
    Required,
    /// Something is lost: the daemon is degraded.
    Expected,
    /// Another hook replaces it where the kernel does not offer it.
    Optional,
}

/// One hook of the kernel side.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HookSpec {
    /// The program's name in the object file.
    pub program: &'static str,
    /// The name shown to users.
    pub name: &'static str,
    /// How it is attached.
    pub attach: Attach,
    /// What it means that it is missing.
    pub need: Need,
    /// The first kernel release that has it.
    pub since: &'static str,
    /// What it provides.
    pub gives: &'static str,
    /// What is lost without it.
    pub cost: &'static str,
}

/// The program that drops the SYNs that the policy denies.
pub(super) const INGRESS: &str = "gp_ingress";

/// The programs that deny a bind, for each family.
pub(super) const BINDS: [&str; 2] = ["gp_bind4", "gp_bind6"];

/// All hooks, in the order in which they are attached: who a process is, who owns a socket, and only then
/// the life of sockets, so that no flow is seen whose owner could not have been seen.
pub(crate) const HOOKS: &[HookSpec] = &[
    HookSpec {
        program: "gp_sched_exec",
        name: "tracepoint/sched_process_exec",
        attach: Attach::Tracepoint("sched", "sched_process_exec"),
        need: Need::Expected,
        since: "5.8",
        gives: "the executable of every process, without a race",
        cost: "no executable is known",
    },
    HookSpec {
        program: "gp_task_newtask",
        name: "tracepoint/task_newtask",
        attach: Attach::Tracepoint("task", "task_newtask"),
        need: Need::Expected,
        since: "5.8",
        gives: "parent, start time and executable of forked children",
        cost: "forked children that end at once have no executable",
    },
    HookSpec {
        program: "gp_sched_exit",
        name: "tracepoint/sched_process_exit",
        attach: Attach::Tracepoint("sched", "sched_process_exit"),
        need: Need::Expected,
        since: "5.8",
        gives: "forgets ended processes, so that a reused pid is never mistaken",
        cost: "executables come from /proc only",
    },
    HookSpec {
        program: "gp_cgroup_mkdir",
        name: "tracepoint/cgroup_mkdir",
        attach: Attach::Tracepoint("cgroup", "cgroup_mkdir"),
        need: Need::Expected,
        since: "5.8",
        gives: "names of short-lived units and containers",
        cost: "units that end at once may be unnamed",
    },
    HookSpec {
        program: BINDS[0],
        name: "cgroup/bind4",
        attach: Attach::SockAddr,
        need: Need::Expected,
        since: "5.8",
        gives: "the process that bound an IPv4 listener, where another listens; and that one which the policy denies is not bound",
        cost: "a listener is its first worker's, and before Linux 5.15 has no network namespace; who listens is not decided, whatever the policy says",
    },
    HookSpec {
        program: BINDS[1],
        name: "cgroup/bind6",
        attach: Attach::SockAddr,
        need: Need::Expected,
        since: "5.8",
        gives: "the process that bound an IPv6 listener, where another listens; and that one which the policy denies is not bound",
        cost: "a listener is its first worker's, and before Linux 5.15 has no network namespace; who listens is not decided, whatever the policy says",
    },
    HookSpec {
        program: "gp_connect4",
        name: "cgroup/connect4",
        attach: Attach::SockAddr,
        need: Need::Required,
        since: "5.8",
        gives: "the process that connects over IPv4",
        cost: "no client can be named",
    },
    HookSpec {
        program: "gp_connect6",
        name: "cgroup/connect6",
        attach: Attach::SockAddr,
        need: Need::Required,
        since: "5.8",
        gives: "the process that connects over IPv6",
        cost: "no client can be named",
    },
    HookSpec {
        program: "gp_getpeername4",
        name: "cgroup/getpeername4",
        attach: Attach::SockAddr,
        need: Need::Expected,
        since: "5.8",
        gives: "the process that accepts over IPv4, where it asks for the peer's address",
        cost: "accepted flows are attributed to the process that opened the listener",
    },
    HookSpec {
        program: "gp_getpeername6",
        name: "cgroup/getpeername6",
        attach: Attach::SockAddr,
        need: Need::Expected,
        since: "5.8",
        gives: "the process that accepts over IPv6, where it asks for the peer's address",
        cost: "accepted flows are attributed to the process that opened the listener",
    },
    HookSpec {
        program: "gp_accept_of_two",
        name: "fexit/inet_csk_accept",
        attach: Attach::Return("inet_csk_accept", &["gp_accept_of_two", "gp_accept_of_four"]),
        need: Need::Optional,
        since: "5.12",
        gives: "the process that accepts, also where it does not ask for the peer's address",
        cost: "who accepts through io_uring or without an address is shown as who opened the listener",
    },
    HookSpec {
        program: "gp_sock_release",
        name: "cgroup/sock_release",
        attach: Attach::Sock,
        need: Need::Expected,
        since: "5.9",
        gives: "connects that were stopped on this host",
        cost: "connects without a route, or denied on this host, are not reported",
    },
    HookSpec {
        program: "gp_sock_ops",
        name: "sock_ops",
        attach: Attach::SockOps,
        need: Need::Required,
        since: "5.8",
        gives: "establishment, listeners, close, bytes, round-trip time",
        cost: "no flow can be seen",
    },
    HookSpec {
        program: "gp_egress",
        name: "cgroup_skb/egress",
        attach: Attach::Skb(CgroupSkbAttachType::Egress),
        need: Need::Expected,
        since: "5.10",
        gives: "how a flow is encrypted, from what this end sends first",
        cost: "the encryption of flows is unknown, or known from one direction only",
    },
    HookSpec {
        program: INGRESS,
        name: "cgroup_skb/ingress",
        attach: Attach::Skb(CgroupSkbAttachType::Ingress),
        need: Need::Expected,
        since: "5.10",
        gives: "how a flow is encrypted, from what this end receives first; and that SYNs which the policy denies are dropped",
        cost: "the encryption of flows is unknown, or known from one direction only; what arrives passes, whatever the policy's mode",
    },
];
