//! The number that the kernel's type information gives a function.
//!
//! A program that sees a function return is loaded with that number. aya would parse all types of the kernel to find
//! it, which costs 12 MB that the heap does not give back. This walks over them once and keeps nothing.
//!
//! Format: Documentation/bpf/btf.rst of the kernel.

use aya::{Btf, Endianness};

/// Where the kernel shows its own types.
const KERNEL: &str = "/sys/kernel/btf/vmlinux";
/// `BTF_MAGIC` in the byte order of this host.
const MAGIC: u16 = 0xeb9f;
/// Bytes of the fixed part of a type.
const TYPE: usize = 12;
/// `BTF_KIND_FUNC`.
const FUNC: u32 = 12;
/// A type without name or content (`BTF_KIND_FWD`).
const FORWARD: u32 = 7 << 24;

/// Type information that knows nothing but `function`, under the number that the running kernel gives it.
///
/// # Errors
/// One clause: the kernel's types cannot be read, are of a form not known here, or have no such function.
pub(super) fn of_function(function: &str) -> Result<Btf, String> {
    let types = std::fs::read(KERNEL).map_err(|error| format!("cannot read {KERNEL}: {error}"))?;
    let (id, info) = find(&types, function)?;
    let alone = only(function, id, info);
    Btf::parse(&alone, Endianness::default()).map_err(|error| error.to_string())
}

/// The number of a function and the word that says what kind of type it is.
fn find(data: &[u8], function: &str) -> Result<(u32, u32), String> {
    let unknown = || "the kernel's type information is of a form not known here".to_owned();
    let word = |at: usize| {
        let bytes = data.get(at..at.checked_add(4)?)?;
        Some(u32::from_ne_bytes(bytes.try_into().ok()?))
    };
    let magic = data.get(..2).and_then(|bytes| bytes.try_into().ok()).map(u16::from_ne_bytes);
    if magic != Some(MAGIC) {
        return Err(unknown());
    }
    let header = |field: usize| word(field).map(|value| value as usize).ok_or_else(unknown);
    let (start, type_off, type_len, name_off) = (header(4)?, header(8)?, header(12)?, header(16)?);
    let section = |off: usize| start.checked_add(off).and_then(|at| data.get(at..)).ok_or_else(unknown);
    let (names, mut types) = (section(name_off)?, section(type_off)?.get(..type_len).ok_or_else(unknown)?);
    let field = |types: &[u8], at: usize| {
        types.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map(u32::from_ne_bytes)
    };
    let mut id = 0;
    while !types.is_empty() {
        id += 1;
        let (Some(name), Some(info)) = (field(types, 0), field(types, 4)) else { return Err(unknown()) };
        let kind = info >> 24 & 0x1f;
        let is_named = || {
            let name = names.get(name as usize..)?.strip_prefix(function.as_bytes())?;
            (name.first() == Some(&0)).then_some(())
        };
        if kind == FUNC && is_named().is_some() {
            return Ok((id, info));
        }
        let content = content(kind, (info & 0xffff) as usize).ok_or_else(unknown)?;
        types = types.get(TYPE + content..).ok_or_else(unknown)?;
    }
    Err(format!("this kernel has no function {function}"))
}

/// Bytes that follow the fixed part of a type of this kind with `count` members; `None` for a kind not known here.
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

/// Type information in which the type with this number is the function, and those before it are nothing.
fn only(function: &str, id: u32, info: u32) -> Vec<u8> {
    let length = id * TYPE as u32;
    let mut out = Vec::new();
    out.extend(MAGIC.to_ne_bytes());
    // Version and flags.
    out.extend([1, 0]);
    // Length of the header, then place and length of types and names.
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
        let types = std::fs::read(KERNEL).expect("the kernel shows its types");
        let (id, info) = find(&types, "inet_csk_accept").expect("every kernel with TCP has it");
        let alone = only("inet_csk_accept", id, info);
        assert_eq!(find(&alone, "inet_csk_accept"), Ok((id, info)));
        assert!(alone.len() < types.len());
        let btf = Btf::parse(&alone, Endianness::default()).expect("aya takes it");
        assert_eq!(btf.to_bytes().len(), alone.len(), "aya sees the same types");
    }

    #[test]
    fn what_is_not_there_is_not_found_and_no_bytes_panic() {
        let alone = only("a_function", 3, FUNC << 24);
        assert_eq!(find(&alone, "a_function"), Ok((3, FUNC << 24)));
        for other in ["a_functio", "a_function_", "b_function"] {
            assert_eq!(find(&alone, other), Err(format!("this kernel has no function {other}")));
        }
        for cut in 0..alone.len() {
            let _ = find(&alone[..cut], "a_function");
        }
        let mut strange = alone;
        strange[24 + 7] = 31;
        assert!(find(&strange, "a_function").expect_err("an unknown kind").contains("not known here"));
    }
}
