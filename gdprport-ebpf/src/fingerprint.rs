//! The fingerprint of the path of an executable, made once, at its `execve`: a path is too long for a key.
//!
//! SipHash-2-4 with 128 bits (Aumasson and Bernstein) over the path's components as they are read, from last to first, with
//! the daemon's key. It is made whether or not a port is decided: a policy may decide one later, and by then the file may have
//! another path.

use core::ptr::{addr_of, read_volatile};

use gdprport_common::{
    EXE_PATH, EXE_UNKNOWN, EXE_WITHHELD, EnforceExe, ExecRecord, FILE_CAP, FileState, MountOwner,
};

use crate::maps::{ENFORCE_KEY, EXEC_SCRATCH};

/// The state of the hash.
struct Sip([u64; 4]);

impl Sip {
    #[inline(always)]
    fn new(key: [u64; 2]) -> Self {
        Self([
            key[0] ^ 0x736f_6d65_7073_6575,
            key[1] ^ 0x646f_7261_6e64_6f6d ^ 0xee,
            key[0] ^ 0x6c79_6765_6e65_7261,
            key[1] ^ 0x7465_6462_7974_6573,
        ])
    }

    #[inline(always)]
    fn round(&mut self) {
        let Self([a, b, c, d]) = self;
        *a = a.wrapping_add(*b);
        *b = b.rotate_left(13) ^ *a;
        *a = a.rotate_left(32);
        *c = c.wrapping_add(*d);
        *d = d.rotate_left(16) ^ *c;
        *a = a.wrapping_add(*d);
        *d = d.rotate_left(21) ^ *a;
        *c = c.wrapping_add(*b);
        *b = b.rotate_left(17) ^ *c;
        *c = c.rotate_left(32);
    }

    #[inline(always)]
    fn word(&mut self, word: u64) {
        self.0[3] ^= word;
        self.round();
        self.round();
        self.0[0] ^= word;
    }

    #[inline(always)]
    fn end(&mut self) -> u64 {
        for _ in 0..4 {
            self.round();
        }
        self.0[0] ^ self.0[1] ^ self.0[2] ^ self.0[3]
    }
}

/// Makes what decisions know of the executable that this CPU's scratch space describes.
///
/// A global function, which the verifier checks once and by itself (`exe_file::gp_path_step`).
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn gp_fingerprint() -> u32 {
    let (Some(key), Some(scratch)) = (ENFORCE_KEY.get_ptr(0), EXEC_SCRATCH.get_ptr_mut(0)) else { return 0 };
    // SAFETY: map values; the scratch space is this CPU's, and whoever calls this is not preempted by another who does.
    unsafe {
        let header = &(*scratch).record.header;
        let state = header.file_state;
        let of_root = header.file_mounts == MountOwner::Root as u8;
        let mut exe = EnforceExe { fingerprint: [0, 0], state: EXE_UNKNOWN, reserved: 0 };
        if state == FileState::InMemory as u8 || state == FileState::Complete as u8 && of_root {
            exe.fingerprint = of(&raw const (*scratch).record, *key);
            exe.state = EXE_PATH;
        } else if state == FileState::TooLong as u8 && of_root {
            // No table names it: a fingerprint of no path.
            exe.state = EXE_PATH;
        } else if state == FileState::TooLong as u8 || state == FileState::Unreachable as u8 {
            exe.state = EXE_WITHHELD;
        }
        (*scratch).exe = exe;
    }
    1
}

/// # Safety
/// `record` is this CPU's own map value, and complete.
#[inline(always)]
unsafe fn of(record: *const ExecRecord, key: [u64; 2]) -> [u64; 2] {
    // SAFETY: guaranteed by the caller; every offset is masked to the array.
    unsafe {
        let file = addr_of!((*record).file).cast::<u8>();
        let len = read_volatile(addr_of!((*record).header.file_len)) as usize & (FILE_CAP - 1);
        let mut hash = Sip::new(key);
        let mut at = 0;
        while at < FILE_CAP {
            let word = read_volatile(file.add(at).cast::<u64>());
            let left = len.wrapping_sub(at);
            if left < 8 {
                let mask = (1_u64 << ((8 * left as u64) & 63)) - 1;
                hash.word(word & mask | (len as u64) << 56);
                break;
            }
            hash.word(word);
            at += 8;
        }
        hash.0[2] ^= 0xee;
        let first = hash.end();
        hash.0[1] ^= 0xdd;
        [first, hash.end()]
    }
}
