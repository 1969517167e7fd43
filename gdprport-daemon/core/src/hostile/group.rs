//! Entries of the kernel side's maps of groups: a key, then a value.

use gdprport_common::OverloadKey;

use crate::decode::overload::{GroupError, OverloadLevel, group as decode};

/// Any bytes are a group that claims no more than its level, or an error.
pub fn group(bytes: &[u8]) {
    let (key, value) = bytes.split_at(bytes.len().min(size_of::<OverloadKey>()));
    match decode(key, value) {
        Err(GroupError::Length { key: of_key, value: of_value }) => {
            assert_eq!((of_key, of_value), (key.len(), value.len()));
        }
        Err(GroupError::Field(field)) => assert!(!field.is_empty()),
        Ok(group) => {
            let coarse = group.level == OverloadLevel::Port;
            assert_eq!((group.peer.is_none(), group.owner.is_none()), (coarse, coarse));
            if let Some(net) = group.peer {
                assert_eq!((net.addr(), net.addr().to_canonical()), (net.network(), net.addr()));
                let whole = net.prefix_len() == net.max_prefix_len();
                assert_eq!(whole, group.level == OverloadLevel::Peer);
            }
            assert!(group.first_ns <= group.last_ns);
        }
    }
}
