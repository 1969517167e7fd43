//! The core of the promises: those that show that each hook loads, is attached and reports on a kernel, and each way in which
//! kernels differ.
//!
//! Most promises differ in what programs do, not in what of the kernel they use: where they hold on an older and on a newer
//! kernel, the core is enough on one between them (`--core`). Those that need a machine of another kind than the plain one are
//! all in it.

use super::promises::{Kind, Promise};

/// By file: at least one of each file that runs in a plain machine.
const CORE: [(&str, &[&str]); 25] = [
    // Every field of a task, in the order of the kernel's own structs; accept by fexit, by io_uring and of a passed socket.
    (
        "ownership",
        &[
            "every_property_of_a_process_is_reported_as_of_its_call",
            "a_null_address_accept_is_the_listeners_or_exact",
            "an_io_uring_accept_is_the_listeners_or_exact",
            "a_passed_listener_belongs_to_the_acceptor_or_is_marked",
        ],
    ),
    // The walk of paths and mounts at exec.
    (
        "executed",
        &[
            "a_relative_name_of_an_exited_process_becomes_its_path",
            "a_deep_path_is_named_and_one_too_deep_is_none",
            "a_file_reached_through_foreign_mounts_lends_no_path",
        ],
    ),
    // Storage of sockets where the option memory is used up; workers of io_uring; MPTCP, which came with 5.6 and grew.
    (
        "ownership_unusual",
        &[
            "a_full_option_memory_hides_nobody",
            "a_worker_of_io_uring_hides_nobody",
            "all_paths_of_an_mptcp_connection_are_their_makers",
        ],
    ),
    (
        "attack_process",
        &[
            "a_process_whose_first_thread_has_ended_is_still_named",
            "root_in_a_user_namespace_is_reported_as_the_outside_user",
        ],
    ),
    ("attack_exe", &["an_executable_in_memory_cannot_borrow_a_path"]),
    ("attack_refused", &["a_connect_that_another_program_refuses_is_reported_as_denied"]),
    ("attack_wrap", &["pid_wrap_never_lends_a_process_the_name_of_another"]),
    ("attack_segments", &["segments_without_a_connection_are_no_ones_first"]),
    ("short_lived", &["five_hundred_forked_children_all_have_their_parents_exe"]),
    // Each family, a failed connect, and namespaces.
    (
        "addresses",
        &[
            "ipv6_connections_are_named_at_both_ends",
            "an_ipv4_client_of_a_dual_stack_listener_is_an_ipv4_peer",
            "a_refused_connect_is_reported_with_its_owner",
            "both_ends_of_a_veth_pair_are_seen_in_their_own_namespace",
        ],
    ),
    // The counters of a socket at its close, and what sendfile adds to them.
    (
        "bytes",
        &["sendfile_and_splice_are_counted_to_the_byte", "a_reset_after_a_half_close_counts_no_fin_as_byte"],
    ),
    ("posture_edges", &["redis_is_seen_in_plaintext_and_in_tls"]),
    // Where the payload is read: deferred accepts, fast open, extension headers.
    (
        "posture_capture",
        &[
            "a_request_to_a_deferred_accept_is_seen_at_both_ends",
            "ipv6_extension_headers_hide_no_plaintext",
            "a_request_in_the_syn_of_a_fast_open_is_seen_at_both_ends",
        ],
    ),
    // Sockets as netlink lists them.
    (
        "predates_daemon",
        &[
            "an_existing_connection_is_named_and_counted_to_the_byte",
            "sockets_in_other_network_namespaces_are_found_too",
            "a_pending_connect_that_succeeds_opens_and_closes_once",
        ],
    ),
    ("conservation", &["losses_while_the_reader_is_stopped_are_counted_exactly"]),
    // Groups: functions that are verified apart, a map of maps, and epochs.
    (
        "overload",
        &["each_connection_is_described_or_counted_exactly_once", "groups_outlive_a_daemon_that_was_killed"],
    ),
    ("low_memory", &["an_owner_the_kernel_cannot_keep_is_unknown_and_counted"]),
    // Links that are pinned, adopted and updated.
    (
        "restart",
        &[
            "a_daemon_that_is_replaced_in_order_leaves_no_gap",
            "a_hook_whose_pin_is_gone_is_attached_again_and_named",
        ],
    ),
    ("fresh_start", &["another_abi_is_not_adopted_and_the_gap_is_reported"]),
    ("unpin", &["unpin_leaves_nothing"]),
    (
        "hooks",
        &["status_shows_hooks_policy_ports_and_coverage", "nothing_stays_attached_after_sigterm_or_sigkill"],
    ),
    // The path that is read at exec, tables that are pinned, and what is left where tracepoints cannot be.
    (
        "enforce",
        &[
            "only_the_declared_program_connects_whatever_it_is_called",
            "a_killed_daemon_with_pins_still_denies_and_an_end_does_not",
        ],
    ),
    ("enforce_in", &["a_strangers_syn_over_veth_never_reaches_the_server"]),
    ("enforce_bind", &["only_the_declared_program_may_listen"]),
    (
        "enforce_reset",
        &[
            "a_reload_ends_what_the_rules_deny_now_and_nothing_else",
            "a_connection_in_plaintext_is_ended_and_reported",
        ],
    ),
];

/// Whether a promise is in the core.
pub(super) fn contains(promise: &Promise) -> bool {
    promise.needs() != Kind::Plain
        || CORE.iter().any(|(file, tests)| *file == promise.file && tests.contains(&&*promise.test))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sh;
    use crate::vm::promises::FILES;

    #[test]
    fn every_plain_file_is_in_the_core_and_every_name_is_a_test() {
        let plain = |file: &'static str| Promise::sample(file, "").needs() == Kind::Plain;
        let files: Vec<&str> = FILES.into_iter().filter(|file| plain(file)).collect();
        assert_eq!(CORE.map(|(file, _)| file).as_slice(), files);
        for (file, tests) in CORE {
            let path = sh::workspace().join("tests/tests").join(file).with_extension("rs");
            let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            assert!(!tests.is_empty(), "{file} has no promise in the core");
            for test in tests {
                assert!(text.contains(&format!("#[test]\nfn {test}()")), "{file} has no test {test}");
            }
        }
    }

    #[test]
    fn what_needs_a_machine_of_its_own_is_in_the_core() {
        for (file, test, expected) in [
            ("bytes", "sendfile_and_splice_are_counted_to_the_byte", true),
            ("bytes", "full_duplex_is_counted_to_the_byte", false),
            ("faults_machine", "any", true),
            ("containers_podman", "any", true),
        ] {
            assert_eq!(contains(&Promise::sample(file, test)), expected, "{file}::{test}");
        }
    }
}
