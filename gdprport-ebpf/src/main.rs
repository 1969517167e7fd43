//! gdprport's kernel programs: which processes use the watched ports, from connect to close.
//!
//! One file per hook family. They use stable interfaces only: no offset in a kernel struct is compiled in (see
//! `docs/adr/0001`). This file lists the modules and holds no code that runs.

#![no_std]
#![no_main]
#![feature(asm_experimental_arch)]
#![expect(
    clippy::needless_borrows_for_generic_args,
    reason = "passing a key or value by value copies it to the stack again"
)]
#![expect(clippy::needless_pass_by_value, reason = "aya's program macros pass contexts by value")]

mod accept;
mod arriving;
mod binding;
mod call;
mod cgroup;
mod count;
mod diagnose;
mod early;
mod emit;
mod ending;
mod enforce;
mod exe_file;
mod exempt;
mod fin;
mod fingerprint;
mod flow;
mod groups;
mod identity;
mod maps;
mod mptcp;
mod object;
mod overload;
mod owner;
mod owners;
mod payload;
mod sched;
mod segment;
mod sock_addr;
mod sock_ops;
mod sock_release;
mod socket_error;
mod unsent;
mod wanting;
