//! The type information of the running kernel: the number of a function, the offset of a member.
//!
//! A program that sees a function return is loaded with the function's number, and what no stable interface provides is
//! read at this kernel's offset. aya would parse all types of the kernel to find either, which costs 12 MB that the
//! heap does not return. This walks over them and keeps nothing.
//!
//! Format: Documentation/bpf/btf.rst of the kernel.

use std::ops::Range;

use aya::{Btf, Endianness};

/// The kernel's own types.
const KERNEL: &str = "/sys/kernel/btf/vmlinux";
/// `BTF_MAGIC` in the byte order of this host.
const MAGIC: u16 = 0xeb9f;
/// Bytes of the fixed part of a type, and of a member of a structure.
const TYPE: usize = 12;
/// `BTF_KIND_STRUCT`.
const STRUCT: u32 = 4;
/// `BTF_KIND_FUNC`.
const FUNC: u32 = 12;
/// A type without name or content (`BTF_KIND_FWD`).
const FORWARD: u32 = 7 << 24;

/// The types of a kernel, as bytes.
pub(super) struct KernelTypes {
    data: Vec<u8>,
    types: Range<usize>,
    names: Range<usize>,
}

/// One type: its number, its info word (kind and count), and what follows.
struct BtfType<'a> {
    id: u32,
    info: u32,
    content: &'a [u8],
}

impl KernelTypes {
    /// The types of the running kernel.
    ///
    /// # Errors
    /// One clause: they cannot be read, or are of an unknown form.
    pub(super) fn read() -> Result<Self, String> {
        let data = std::fs::read(KERNEL).map_err(|error| format!("cannot read {KERNEL}: {error}"))?;
        Self::parse(data)
            .ok_or_else(|| "the kernel's type information is of a form not known here".to_owned())
    }

    fn parse(data: Vec<u8>) -> Option<Self> {
        if u16::from_ne_bytes(data.get(..2)?.try_into().ok()?) != MAGIC {
            return None;
        }
        let field = |at| word(&data, at).map(|value| value as usize);
        let section = |off: usize, len: usize| {
            let start = field(4)?.checked_add(off)?;
            let section = start..start.checked_add(len)?;
            data.get(section.clone()).map(|_| section)
        };
        let types = section(field(8)?, field(12)?)?;
        let names = section(field(16)?, field(20)?)?;
        Some(Self { data, types, names })
    }

    /// Type information with nothing but `function`, under its number in the kernel.
    ///
    /// # Errors
    /// One clause: there is no such function.
    pub(super) fn function(&self, function: &str) -> Result<Btf, String> {
        let found =
            self.find(FUNC, function).ok_or_else(|| format!("this kernel has no function {function}"))?;
        let alone = only(function, found.id, found.info);
        Btf::parse(&alone, Endianness::default()).map_err(|error| error.to_string())
    }

    /// Offset of a member in its structure, in bytes; `None` if there is no such member, or it is a bit field.
    pub(super) fn offset(&self, structure: &str, member: &str) -> Option<u32> {
        let found = self.find(STRUCT, structure)?;
        // With this bit set the upper byte of an offset is the width of a bit field.
        let bit_fields = found.info >> 31 == 1;
        let members = found.content.chunks_exact(TYPE);
        let at = members.filter(|entry| self.is_named(entry, member)).find_map(|entry| word(entry, 8))?;
        let (width, bits) = if bit_fields { (at >> 24, at & 0xff_ffff) } else { (0, at) };
        (width == 0 && bits % 8 == 0).then_some(bits / 8)
    }

    fn find(&self, kind: u32, name: &str) -> Option<BtfType<'_>> {
        let mut rest = &self.data[self.types.clone()];
        let mut id = 0;
        while !rest.is_empty() {
            id += 1;
            let info = word(rest, 4)?;
            let length = content(info >> 24 & 0x1f, (info & 0xffff) as usize)?;
            let content = rest.get(TYPE..TYPE + length)?;
            if info >> 24 & 0x1f == kind && self.is_named(rest, name) {
                return Some(BtfType { id, info, content });
            }
            rest = rest.get(TYPE + length..)?;
        }
        None
    }

    /// Whether the type or member that begins here has this name.
    fn is_named(&self, at: &[u8], name: &str) -> bool {
        let names = &self.data[self.names.clone()];
        let found = word(at, 0).and_then(|off| names.get(off as usize..)?.strip_prefix(name.as_bytes()));
        found.is_some_and(|rest| rest.first() == Some(&0))
    }
}

/// Where this kernel keeps the user namespace of a process, for which there is no stable interface; `None` if its type
/// information is incomplete.
pub(super) fn user_ns_offsets() -> Option<[(&'static str, u32); 3]> {
    let types = KernelTypes::read().ok()?;
    let inum = types.offset("user_namespace", "ns")? + types.offset("ns_common", "inum")?;
    Some([
        ("TASK_CRED_OFFSET", types.offset("task_struct", "cred")?),
        ("CRED_USER_NS_OFFSET", types.offset("cred", "user_ns")?),
        ("USER_NS_INUM_OFFSET", inum),
    ])
}

/// Where this kernel keeps what a program reads of the calling task if it has no helpers for that, in groups of which each
/// is complete or left out.
pub(super) fn task_offsets() -> Vec<(&'static str, u32)> {
    let Ok(types) = KernelTypes::read() else { return Vec::new() };
    let groups: [&[(&str, &str, &str)]; 4] = [
        &[("TASK_FLAGS_OFFSET", "task_struct", "flags")],
        &[
            ("TASK_TGID_OFFSET", "task_struct", "tgid"),
            ("TASK_COMM_OFFSET", "task_struct", "comm"),
            ("TASK_IDS_OFFSET", "task_struct", "cred"),
            ("CRED_UID_OFFSET", "cred", "uid"),
            ("CRED_GID_OFFSET", "cred", "gid"),
            ("TASK_CGROUPS_OFFSET", "task_struct", "cgroups"),
            ("CSS_SET_CGROUP_OFFSET", "css_set", "dfl_cgrp"),
            ("CGROUP_NODE_OFFSET", "cgroup", "kn"),
            ("NODE_ID_OFFSET", "kernfs_node", "id"),
        ],
        &[("SOCK_OMEM_OFFSET", "sock", "sk_omem_alloc")],
        &[("SOCK_NET_OFFSET", "sock_common", "skc_net")],
    ];
    // Kernels with MPTCP have this function behind the helper, since that exists.
    let mptcp = types.find(FUNC, "bpf_mptcp_sock_from_subflow").is_some();
    let known = groups.into_iter().filter_map(|group| {
        let found = group.iter().map(|(global, of, member)| Some((*global, types.offset(of, member)?)));
        found.collect::<Option<Vec<_>>>()
    });
    known.flatten().chain([("MPTCP_SOCKETS", u32::from(mptcp))]).collect()
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

/// Bytes that follow the fixed part of a type of this kind with `count` members; `None` for an unknown kind.
const fn content(kind: u32, count: usize) -> Option<usize> {
    Some(match kind {
        // INT, VAR, DECL_TAG
        1 | 14 | 17 => 4,
        // ARRAY
        3 => 12,
        // STRUCT, UNION, DATASEC, ENUM64
        4 | 5 | 15 | 19 => count * 12,
        // ENUM, FUNC_PROTO
        6 | 13 => count * 8,
        // PTR, FWD, TYPEDEF, VOLATILE, CONST, RESTRICT, FUNC, FLOAT, TYPE_TAG
        2 | 7..=12 | 16 | 18 => 0,
        _ => return None,
    })
}

/// Type information in which the type with this number is the function, and those before it are placeholders.
fn only(function: &str, id: u32, info: u32) -> Vec<u8> {
    let length = id * TYPE as u32;
    let mut out = Vec::new();
    out.extend(MAGIC.to_ne_bytes());
    // Version and flags.
    out.extend([1, 0]);
    // Length of the header, then offset and length of types and names.
    for word in [24, 0, length, length, function.len() as u32 + 2] {
        out.extend(word.to_ne_bytes());
    }
    for _ in 1..id {
        out.extend([0, FORWARD, 0].map(u32::to_ne_bytes).as_flattened());
    }
    out.extend([1, info, 0].map(u32::to_ne_bytes).as_flattened());
    out.push(0);
    out.extend(function.as_bytes());
    out.push(0);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_function_keeps_its_number_and_nothing_else_is_kept() {
        let types = KernelTypes::read().expect("the kernel has type information");
        let found = types.find(FUNC, "inet_csk_accept").expect("every kernel with TCP has it");
        let alone = only("inet_csk_accept", found.id, found.info);
        let again = KernelTypes::parse(alone.clone()).expect("well-formed");
        assert_eq!(again.find(FUNC, "inet_csk_accept").map(|f| (f.id, f.info)), Some((found.id, found.info)));
        let btf = types.function("inet_csk_accept").expect("aya accepts it");
        assert_eq!(btf.to_bytes().len(), alone.len(), "aya sees the same types");
    }

    #[test]
    fn a_member_is_where_the_kernel_has_it() {
        let types = KernelTypes::read().expect("the kernel has type information");
        // Fixed by the user interface: struct sockaddr_in of include/uapi/linux/in.h.
        assert_eq!(types.offset("sockaddr_in", "sin_port"), Some(2));
        assert_eq!(types.offset("sockaddr_in", "sin_addr"), Some(4));
        assert_eq!(types.offset("sockaddr_in", "sin"), None);
        assert_eq!(types.offset("tcphdr", "syn"), None, "a bit field");
        assert!(types.offset("task_struct", "cred").is_some());
    }

    #[test]
    fn missing_types_are_not_found_and_no_bytes_panic() {
        let alone = only("a_function", 3, FUNC << 24);
        let types = KernelTypes::parse(alone.clone()).expect("well-formed");
        assert!(types.find(FUNC, "a_function").is_some());
        for other in ["a_functio", "a_function_", "b_function"] {
            assert_eq!(types.function(other).err(), Some(format!("this kernel has no function {other}")));
        }
        for cut in 0..alone.len() {
            let _ = KernelTypes::parse(alone[..cut].to_vec())
                .and_then(|types| types.find(FUNC, "a_function").map(|f| f.id));
        }
        let mut strange = alone;
        strange[24 + 7] = 31;
        assert!(KernelTypes::parse(strange).is_some_and(|types| types.find(FUNC, "a_function").is_none()));
    }
}
