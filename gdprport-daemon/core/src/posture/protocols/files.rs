//! rsync and NFS: files by protocols that are known by the client's first bytes.

use crate::posture::cursor::{Cursor, starts};

/// rsync's daemon protocol (rsyncd.conf(5)): both sides name its version.
pub(in crate::posture) fn rsync(client: &[u8], _declared: bool) -> Option<bool> {
    starts(client, b"@RSYNCD: ")
}

/// An RPC call (RFC 5531 §9, §11) of NFS: a record's mark, an id, a call of version 2 of RPC, and the program's number.
/// Kerberos (RFC 7861) and TLS (RFC 9289) are agreed on call by call.
pub(in crate::posture) fn nfs(client: &[u8], _declared: bool) -> Option<bool> {
    let mut rest = Cursor(client);
    // A call without arguments has 40 bytes; the longest first call, an exchange of ids, a few hundred.
    let mark = rest.u32()?;
    if !(40..=1 << 16).contains(&(mark & 0x7fff_ffff)) {
        return Some(false);
    }
    let _id = rest.u32()?;
    for expected in [0, 2, 100_003] {
        if rest.u32()? != expected {
            return Some(false);
        }
    }
    Some(true)
}
