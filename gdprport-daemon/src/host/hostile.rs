//! What must hold for any bytes in the kernel's tables and in a process's own texts, as assertions: used by the fuzzer
//! (`fuzz/`) and by the property tests below. Compiled for those two only.

use super::cgroup::{self, Mounts};
use super::{destroy, netns, pid, probes, sockets};
use gdprport_core::cgroup_path::{CgroupPath, Inside, Maker};
use gdprport_core::conntrack::{self, Answer};
use gdprport_core::identity::{ExecName, comm_text, shebang};

/// Any bytes as a reply of sock_diag(7), as a notice of a destroyed socket, or as an entry of connection tracking are read
/// or rejected.
pub fn netlink(bytes: &[u8]) {
    let mut found = sockets::Rows::default();
    let done = sockets::read_replies(bytes, |_| true, &mut found);
    // A message has a header of 16 bytes: what is found cannot outgrow what was received.
    assert!(found.seen.len() <= bytes.len() / 16, "{} sockets in {} bytes", found.seen.len(), bytes.len());
    if let Err(error) = done {
        assert!(!error.to_string().is_empty());
    }
    sockets::hostile(bytes);
    for socket in found.sockets {
        assert_eq!(socket.local.ip, socket.local.ip.to_canonical());
        assert!(socket.peer.is_none_or(|peer| peer.ip == peer.ip.to_canonical()));
    }
    destroy::hostile(bytes);
    if let Some(Answer::Tracked(tracked)) = conntrack::read_reply(bytes).map(|reply| reply.answer) {
        for end in [tracked.original.from, tracked.original.to, tracked.reply.from, tracked.reply.to] {
            assert_eq!(end.ip, end.ip.to_canonical());
        }
    }
}

/// Any bytes as a file of `/proc`, `/sys` or as the first line of a script are read or rejected. The first byte selects
/// the file.
pub fn proc(bytes: &[u8]) {
    let (which, bytes) = bytes.split_first().map_or((0, bytes), |(which, rest)| (*which, rest));
    match which % 7 {
        0 => {
            let stat = pid::parse_stat(bytes);
            // The command name cannot forge them: text before its last parenthesis changes nothing.
            let renamed = [&b"1 (sh) S 1 1 1 "[..], bytes].concat();
            if bytes.contains(&b')') {
                assert_eq!(pid::parse_stat(&renamed), stat);
            }
        }
        1 => drop(pid::parse_ids(bytes)),
        2 => {
            let Some(text) = pid::whole_text(bytes.to_vec()) else { return };
            let Some((_, path)) = cgroup::choose_path(&text) else { return };
            assert!(path.starts_with('/') && text.contains(path) && !path.contains('\n'), "{path:?}");
            let placed = CgroupPath::parse(path, |above| {
                assert!(path.starts_with(above), "{above} in {path}");
                Maker::Root
            });
            assert_eq!(placed.cgroup.as_deref(), Some(path));
            for part in [&placed.unit, &placed.slice].into_iter().flatten() {
                assert!(path.contains(&**part) && !part.contains('/'), "{part} in {path}");
            }
            if let Inside::Container(of) = placed.inside {
                assert!(!of.id.is_empty() && of.id.len() <= path.len(), "{of:?}");
            }
        }
        3 => {
            let text = String::from_utf8_lossy(bytes);
            let mounts = Mounts::parse(&text);
            let shown = mounts.cgroup2.as_ref().map(|path| path.as_os_str().len());
            assert!(shown.is_none_or(|length| length <= text.len()));
        }
        4 => {
            let text = String::from_utf8_lossy(bytes);
            for field in ["child_pid", "pid", ""] {
                let _ = probes::tracefs::parse_offset(&text, field);
            }
            let _ = probes::requirements::parse_effective(&text);
            let _ = probes::check_release(&text);
            let _ = netns::parse_link(&text);
        }
        5 => {
            if let Some(name) = shebang(bytes) {
                assert!(!name.is_empty() && !name.contains(['\n', ' ', '\t', '\0']), "{name:?}");
            }
        }
        _ => {
            let name = ExecName::parse(bytes);
            assert!(name.comm().is_none_or(|comm| comm.len() <= 15));
            assert!(comm_text(bytes).is_none_or(|comm| !comm.is_empty() && !comm.contains('\0')));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;
    use gdprport_core::hostile::seeds::seeds;

    /// Pieces of what the kernel writes.
    const PIECES: [&str; 34] = [
        "7 (a",
        ") S 1 1 1 ",
        " 0 -1 ",
        " 18446744073709551615 ",
        "4294967296",
        "(x) R ",
        "Uid:\t",
        "Gid:\t0\t0\n",
        "Name:\tUid:\\n0\n",
        "0::/",
        "12:memory:",
        "1:name=systemd:",
        "/a.service",
        "/user.slice",
        "\n",
        "\\040",
        "\\134",
        "\\377",
        "\\",
        " - cgroup2 none rw",
        " - cgroup x",
        "31 23 0:27 / /sys/fs/cgroup rw",
        "\tfield:",
        "pid_t child_pid;\toffset:",
        "24;",
        ";",
        "CapEff:\t",
        "net:[",
        "4026531840]",
        "#!",
        " \t",
        "/bin/sh -e\n",
        "\u{0}",
        "\u{e9}",
    ];

    #[test]
    fn every_seed_of_the_host_holds_the_assertions() {
        seeds("netlink", netlink);
        seeds("proc", proc);
    }

    proptest! {
        #[test]
        fn any_bytes_of_the_kernel_are_read_or_rejected(
            which in any::<u8>(),
            bytes in proptest::collection::vec(any::<u8>(), 0..400),
        ) {
            proc(&[&[which], &bytes[..]].concat());
            netlink(&bytes);
        }

        #[test]
        fn any_arrangement_of_pieces_is_read_or_rejected(
            which in any::<u8>(),
            pieces in proptest::collection::vec(select(PIECES.to_vec()), 0..24),
        ) {
            proc(&[&[which], pieces.concat().as_bytes()].concat());
        }

        #[test]
        fn any_sequence_of_messages_is_read_or_rejected(
            messages in proptest::collection::vec(
                (select(vec![0_u16, 2, 3, 20]), 0_u32..40, proptest::collection::vec(any::<u8>(), 0..300)), 0..5),
        ) {
            let mut bytes = Vec::new();
            for (kind, off, payload) in messages {
                let length = u32::try_from(payload.len() + 16).expect("short").saturating_sub(off / 10);
                bytes.extend(length.to_ne_bytes());
                bytes.extend(kind.to_ne_bytes());
                bytes.extend([0; 10]);
                bytes.extend(&payload);
                bytes.resize(bytes.len().next_multiple_of(4), 0);
            }
            netlink(&bytes);
        }
    }
}
