//! A read-only reader of bolt databases (go.etcd.io/bbolt), in which containerd and Podman 4 keep their state.
//!
//! Belongs here: the format of the file. What a runtime keeps in it is that runtime's module. The file is another program's, and
//! perhaps a user's: every number in it is checked, and each view reads within a budget.

mod meta;
mod page;
#[cfg(test)]
mod tests;
mod tree;
mod view;

pub use tree::{Bucket, Entry, View};
pub use view::view;

/// Fills the bytes from an offset of the file; `false` if it could not fill them all.
pub type Reads<'a> = dyn Fn(u64, &mut [u8]) -> bool + 'a;
