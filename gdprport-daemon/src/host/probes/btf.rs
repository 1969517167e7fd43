//! The type information of the running kernel: the number of a function, the offset of a member.
//!
//! A program that sees a function return is loaded with the function's number, and what no stable interface provides is
//! read at this kernel's offset. aya would parse all types of the kernel to find either, which costs 12 MB that the
//! heap does not return. This walks over them and keeps nothing.
//!
//! Format: Documentation/bpf/btf.rst of the kernel.

use std::ops::Range;

use aya::{Btf, Endianness};
use gdprport_common::KernelOffsets;

/// The kernel's own types.
const KERNEL: &str = "/sys/kernel/btf/vmlinux";
/// `BTF_MAGIC` in the byte order of this host.
const MAGIC: u16 = 0xeb9f;
/// Bytes of the fixed part of a type, and of a member of a structure.
const TYPE: usize = 12;
/// `BTF_KIND_STRUCT`.
const STRUCT: u32 = 4;
/// `BTF_KIND_UNION`.
const UNION: u32 = 5;
/// How deep anonymous structures lie in one another: deeper than in any kernel.
const NESTED: u32 = 8;
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

/// One type: its number, where it begins, its info word (kind and count), its bytes up to the last type's, and what
/// follows its fixed part.
struct BtfType<'a> {
    id: u32,
    start: u32,
    info: u32,
    at: &'a [u8],
    content: &'a [u8],
}

impl BtfType<'_> {
    const fn kind(&self) -> u32 {
        self.info >> 24 & 0x1f
    }
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

    /// Offsets of members in their structures, in bytes, of `(structure, member)`. A member of an anonymous structure or
    /// union counts as one of the structure around it, as in C. `None` for what does not exist or is a bit field.
    pub(super) fn offsets(&self, wanted: &[(&str, &str)]) -> Vec<Option<u32>> {
        // Where each type begins, for members that are given by the number of their type.
        let mut starts = Vec::new();
        let mut structures = Vec::new();
        for found in self.each() {
            starts.push(found.start);
            if found.kind() == STRUCT
                && wanted.iter().any(|(structure, _)| self.is_named(found.at, structure))
            {
                structures.push(found);
            }
        }
        let find = |(structure, member): &(&str, &str)| {
            // A name may stand for several structures, of which one is the kernel's own. It comes first.
            let named = structures.iter().find(|each| self.is_named(each.at, structure))?;
            self.member(named, member, &starts, NESTED)
        };
        wanted.iter().map(find).collect()
    }

    /// The offset of a member of this structure or union.
    fn member(&self, of: &BtfType<'_>, member: &str, starts: &[u32], nested: u32) -> Option<u32> {
        // With this bit set the upper byte of an offset is the width of a bit field.
        let bit_fields = of.info >> 31 == 1;
        for entry in of.content.chunks_exact(TYPE) {
            let (name, kind, at) = (word(entry, 0)?, word(entry, 4)?, word(entry, 8)?);
            let (width, bits) = if bit_fields { (at >> 24, at & 0xff_ffff) } else { (0, at) };
            if self.is_named(entry, member) {
                return (width == 0 && bits % 8 == 0).then_some(bits / 8);
            }
            if name != 0 || nested == 0 {
                continue;
            }
            let inner = starts.get((kind as usize).checked_sub(1)?).and_then(|start| self.at(*start));
            let inner = inner.filter(|inner| matches!(inner.kind(), STRUCT | UNION));
            if let Some(offset) = inner.and_then(|inner| self.member(&inner, member, starts, nested - 1)) {
                return Some(bits / 8 + offset);
            }
        }
        None
    }

    fn find(&self, kind: u32, name: &str) -> Option<BtfType<'_>> {
        self.each().find(|each| each.kind() == kind && self.is_named(each.at, name))
    }

    /// Every type in order, up to one of unknown form.
    fn each(&self) -> impl Iterator<Item = BtfType<'_>> {
        let (mut start, mut id) = (0, 0);
        std::iter::from_fn(move || {
            id += 1;
            let next = BtfType { id, ..self.at(start)? };
            start += (TYPE + next.content.len()) as u32;
            Some(next)
        })
    }

    /// The type that begins here, without its number.
    fn at(&self, start: u32) -> Option<BtfType<'_>> {
        let at = self.data[self.types.clone()].get(start as usize..)?;
        let info = word(at, 4)?;
        let length = content(info >> 24 & 0x1f, (info & 0xffff) as usize)?;
        let content = at.get(TYPE..TYPE + length)?;
        Some(BtfType { id: 0, start, info, at, content })
    }

    /// Whether the type or member that begins here has this name.
    fn is_named(&self, at: &[u8], name: &str) -> bool {
        let names = &self.data[self.names.clone()];
        let found = word(at, 0).and_then(|off| names.get(off as usize..)?.strip_prefix(name.as_bytes()));
        found.is_some_and(|rest| rest.first() == Some(&0))
    }
}

/// Where this kernel keeps what the programs read of the file that a process runs, and of its user namespace. A chain of
/// which one member is missing is left out: its first offset is 0.
pub(super) fn kernel_offsets(types: &KernelTypes) -> KernelOffsets {
    let all = |wanted: &[(&str, &str)]| types.offsets(wanted).into_iter().collect::<Option<Vec<u32>>>();
    let user_ns =
        all(&[("task_struct", "cred"), ("cred", "user_ns"), ("user_namespace", "ns"), ("ns_common", "inum")]);
    let Some(&[cred, user_ns, ns, inum]) = user_ns.as_deref() else { return KernelOffsets::default() };
    let user_ns = KernelOffsets {
        task_cred: cred,
        cred_user_ns: user_ns,
        user_ns_inum: ns + inum,
        ..KernelOffsets::default()
    };
    let file = all(&[
        ("task_struct", "mm"),
        ("mm_struct", "exe_file"),
        ("file", "f_inode"),
        ("file", "f_path"),
        ("path", "mnt"),
        ("path", "dentry"),
        ("inode", "i_ino"),
        ("inode", "i_sb"),
        ("super_block", "s_dev"),
    ]);
    let path = all(&[
        ("dentry", "d_seq"),
        ("dentry", "d_parent"),
        ("dentry", "d_name"),
        ("qstr", "name"),
        ("qstr", "len"),
        ("vfsmount", "mnt_root"),
        ("mount", "mnt"),
        ("mount", "mnt_parent"),
        ("mount", "mnt_mountpoint"),
        ("mount", "mnt_ns"),
        ("mnt_namespace", "user_ns"),
    ]);
    let (
        Some(&[mm, exe_file, inode, f_path, path_mnt, path_dentry, ino, sb, dev]),
        Some(&[seq, parent, name, text, len, root, vfsmount, mount_parent, mountpoint, mount_ns, owner]),
    ) = (file.as_deref(), path.as_deref())
    else {
        return user_ns;
    };
    KernelOffsets {
        task_mm: mm,
        mm_exe_file: exe_file,
        file_inode: inode,
        file_mnt: f_path + path_mnt,
        file_dentry: f_path + path_dentry,
        inode_ino: ino,
        inode_sb: sb,
        sb_dev: dev,
        dentry_seq: seq,
        dentry_parent: parent,
        dentry_name: name + text,
        dentry_name_len: name + len,
        vfsmount_root: root,
        mount_vfsmount: vfsmount,
        mount_parent,
        mount_mountpoint: mountpoint,
        mount_ns,
        mnt_ns_user_ns: owner,
        ..user_ns
    }
}

/// Where this kernel keeps what a program reads of the calling task and of sockets, if it has no helpers for that, in
/// groups of which each is complete or left out.
pub(super) fn task_offsets(types: &KernelTypes) -> Vec<(&'static str, u32)> {
    let groups: [&[(&str, &str, &str)]; 5] = [
        &[("TASK_FLAGS_OFFSET", "task_struct", "flags")],
        &[
            ("TASK_TGID_OFFSET", "task_struct", "tgid"),
            ("TASK_COMM_OFFSET", "task_struct", "comm"),
            ("TASK_IDS_OFFSET", "task_struct", "cred"),
            ("CRED_UID_OFFSET", "cred", "uid"),
            ("CRED_GID_OFFSET", "cred", "gid"),
            ("CRED_EUID_OFFSET", "cred", "euid"),
            ("CRED_EGID_OFFSET", "cred", "egid"),
            ("TASK_CGROUPS_OFFSET", "task_struct", "cgroups"),
            ("CSS_SET_CGROUP_OFFSET", "css_set", "dfl_cgrp"),
            ("CGROUP_NODE_OFFSET", "cgroup", "kn"),
            ("NODE_ID_OFFSET", "kernfs_node", "id"),
        ],
        &[("SOCK_OMEM_OFFSET", "sock", "sk_omem_alloc")],
        &[("SOCK_NET_OFFSET", "sock_common", "skc_net")],
        &[("SOCK_ERR_OFFSET", "sock", "sk_err")],
    ];
    // Kernels with MPTCP have this function behind the helper, since that exists.
    let mptcp = types.find(FUNC, "bpf_mptcp_sock_from_subflow").is_some();
    let wanted: Vec<_> = groups.iter().copied().flatten().map(|(_, of, member)| (*of, *member)).collect();
    let mut found = types.offsets(&wanted).into_iter();
    let known = groups.into_iter().filter_map(|group| {
        // All are taken, also where one is missing.
        let offsets: Vec<_> = found.by_ref().take(group.len()).collect();
        let named = group.iter().zip(offsets).map(|((global, ..), offset)| Some((*global, offset?)));
        named.collect::<Option<Vec<_>>>()
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
        let found = types.offsets(&[("sockaddr_in", "sin_port"), ("sockaddr_in", "sin_addr")]);
        assert_eq!(found, [Some(2), Some(4)]);
        assert_eq!(types.offsets(&[("sockaddr_in", "sin"), ("no_such", "sin_port")]), [None, None]);
        assert_eq!(types.offsets(&[("tcphdr", "syn")]), [None], "a bit field");
    }

    /// `hash`, `len` and `name` of a name are fixed by their sizes: 4, 4 and 8 bytes (include/linux/dcache.h).
    #[test]
    fn a_member_of_an_anonymous_structure_is_found() {
        let types = KernelTypes::read().expect("the kernel has type information");
        assert_eq!(types.offsets(&[("qstr", "len"), ("qstr", "name")]), [Some(4), Some(8)]);
        let offsets = kernel_offsets(&types);
        assert!(offsets.task_cred != 0 && offsets.task_mm != 0, "{offsets:?}");
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
