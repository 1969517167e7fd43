//! gdprport's kernel programs: who talks through the watched ports, from connect to close.
//!
//! One file per hook family; only stable interfaces (no struct offset of the kernel is baked in, see
//! `docs/adr/0001`). Belongs in this file: the list of modules, and nothing that runs.

#![no_std]
#![no_main]
#![feature(asm_experimental_arch)]
#![expect(
    clippy::needless_borrows_for_generic_args,
    reason = "a key or value by value would be copied to the stack once more"
)]
#![expect(clippy::needless_pass_by_value, reason = "aya's program macros hand contexts over by value")]

mod accept;
mod cgroup;
mod count;
mod diagnose;
mod emit;
mod fin;
mod flow;
mod maps;
mod object;
mod owner;
mod payload;
mod sched;
mod sock_addr;
mod sock_ops;
mod sock_release;
