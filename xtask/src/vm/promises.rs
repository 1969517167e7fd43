//! Which end-to-end promises are kept on every kernel, how a machine is told to keep them, and what it answers.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, Result, bail};

use super::machine::quoted;
use crate::sh;

/// By file of `tests/tests`. What depends on the kernel is here: who connects, binds and accepts, executables of
/// processes that are gone, failed connects, bytes at the close, the first bytes of the payload, what was there
/// before the start, the kernel's own books. What does not (policies, sinks, most servers), or is too slow for an
/// emulator (tens of thousands of connections), is tested on the host alone.
const PROMISES: &[(&str, &[&str])] = &[
    (
        "ownership",
        &[
            "every_property_of_a_process_is_reported_as_it_was_at_the_time_of_the_call",
            "each_end_of_a_loopback_connection_names_the_other_ends_process",
            "the_user_is_the_one_at_the_time_of_the_call",
            "a_container_is_told_from_the_cgroup_alone",
            "a_process_that_moves_to_another_unit_is_told_where_it_was_when_it_called",
            "a_prefork_worker_is_the_owner_not_the_master",
            "listeners_that_share_a_port_each_own_what_they_accept",
            "an_accept_with_a_null_address_is_named_by_its_listener_or_exactly",
            "an_accept_through_io_uring_is_named_by_its_listener_or_exactly",
            "an_accept_with_a_null_address_in_a_forked_worker_is_never_wrong_and_exact",
            "a_listener_that_was_handed_over_is_of_whoever_accepts_where_the_kernel_shows_it_and_marked_elsewhere",
            "a_connection_that_was_handed_over_still_belongs_to_who_made_it",
            "a_child_that_uses_its_parents_connection_does_not_become_its_owner",
            "an_owner_that_was_killed_is_still_named",
            "a_script_is_told_with_its_interpreter",
        ],
    ),
    (
        "attack_process",
        &[
            "a_connection_that_is_stolen_out_of_a_process_stays_its_owners",
            "a_connection_that_was_accepted_blindly_is_never_the_one_who_steals_it_and_asks_for_its_peers",
            "an_accept_that_asks_for_no_address_is_exact_where_the_kernel_shows_it_and_the_listeners_elsewhere",
            "a_hook_that_this_kernel_does_not_offer_is_named_and_is_no_defect",
            "a_process_that_executes_from_a_second_thread_is_the_new_program_under_the_old_number",
            "a_process_whose_first_thread_has_ended_is_still_named",
            "a_borrowed_command_name_changes_nothing_but_the_command_name",
            "root_in_a_user_namespace_is_told_as_the_user_outside_of_it",
            "a_unit_is_the_one_that_root_has_named_whatever_lies_below_it",
            "a_process_that_the_kernel_side_has_forgotten_is_looked_up_or_unknown_and_never_another",
            "a_child_of_a_forgotten_process_that_is_gone_is_looked_up_or_unknown_and_never_another",
        ],
    ),
    (
        "attack_exe",
        &[
            "a_deleted_executable_is_told_by_the_path_that_was_executed",
            "a_replaced_executable_is_told_by_the_path_that_was_executed",
            "an_executable_behind_a_changed_root_is_told_by_its_path_from_the_real_one",
            "an_executable_in_memory_is_told_as_such_whatever_it_calls_itself",
            "a_program_that_covers_another_in_its_own_mounts_is_not_taken_for_it",
            "a_cgroup_that_a_user_has_called_like_a_container_lends_a_covered_path_no_trust",
            "a_path_in_a_container_that_root_has_made_is_told_with_the_container",
            "a_gone_program_that_covered_another_in_its_own_mounts_is_not_taken_for_it",
            "a_process_in_a_user_namespace_that_runs_the_hosts_program_is_named_by_it",
            "a_link_that_was_turned_after_the_execution_does_not_lend_its_new_target",
        ],
    ),
    (
        "attack_refused",
        &[
            "a_connect_that_another_program_refuses_is_told_as_denied",
            "a_connect_whose_packets_another_program_drops_is_told_as_aborted_when_it_is_given_up",
        ],
    ),
    (
        "attack_wrap",
        &[
            "pid_wrap_never_lends_a_process_the_name_of_another",
            "a_storm_of_forks_through_less_than_a_thousand_numbers_lends_no_name",
        ],
    ),
    (
        "short_lived",
        &["five_hundred_children_that_fork_without_exec_all_have_their_parents_exe_and_their_own_pid"],
    ),
    (
        "addresses",
        &[
            "ipv6_connections_are_named_at_both_ends",
            "an_ipv4_client_of_a_dual_stack_listener_is_an_ipv4_peer",
            "an_ipv4_mapped_destination_is_an_ipv4_peer",
            "a_refused_connect_is_told_with_its_owner",
            "a_connect_that_nobody_answers_is_told_as_timed_out",
            "a_connect_that_its_caller_gives_up_is_told_as_aborted",
            "a_connect_that_no_route_leads_to_is_told_as_denied",
            "two_namespaces_joined_by_veth_are_both_seen_each_under_its_own_number",
            "the_same_addresses_in_two_namespaces_are_not_mistaken_for_each_other",
            "a_port_that_is_not_watched_leaves_no_trace",
        ],
    ),
    (
        "bytes",
        &[
            "known_sizes_in_both_directions_are_counted_to_the_byte",
            "it_does_not_matter_which_end_closes_first",
            "an_end_that_closes_long_before_the_other_is_counted_to_the_byte",
            "full_duplex_is_counted_to_the_byte",
            "sendfile_and_splice_are_counted_to_the_byte",
            "bytes_after_a_half_close_are_counted_to_the_byte",
            "an_end_that_half_closes_and_leaves_before_the_other_does_has_no_fin_among_its_bytes",
            "a_reset_of_an_end_that_has_half_closed_is_no_fin_among_its_bytes",
            "bytes_before_a_reset_are_counted_to_the_byte_and_the_reset_is_told",
        ],
    ),
    ("posture", &["redis_is_seen_in_plaintext_and_in_tls"]),
    (
        "posture_edges",
        &[
            "a_request_that_a_deferred_accept_hides_from_the_server_s_end_is_told_by_the_answer",
            "a_client_hello_that_comes_byte_by_byte_is_tls",
            "a_request_that_comes_byte_by_byte_is_plaintext",
            "a_request_in_the_syn_of_a_fast_open_is_told_at_both_ends",
            "random_bytes_are_unknown_and_a_finding",
            "a_flow_from_before_the_daemon_is_unknown_whatever_it_sends_later",
        ],
    ),
    (
        "before_start",
        &[
            "a_connect_under_way_at_the_start_is_no_connection_and_its_failure_is_told_once",
            "a_connect_under_way_at_the_start_that_is_answered_later_is_opened_and_closed_once",
            "a_connection_from_before_the_start_is_named_and_counted_to_the_byte",
            "a_listener_from_before_the_start_is_named_and_what_it_accepts_is_right_or_marked",
            "listeners_and_connections_in_other_network_namespaces_are_found_too",
            "a_connection_outlives_one_daemon_and_is_found_by_the_next",
            "what_an_end_received_that_had_half_closed_before_the_daemon_is_not_guessed",
        ],
    ),
    (
        "conservation",
        &[
            "what_is_lost_while_the_reader_stands_still_is_counted_exactly_and_told",
            "whatever_was_lost_every_flow_that_ends_on_a_port_that_demands_tls_is_told_or_a_finding",
            "a_long_lived_flow_reports_its_progress",
        ],
    ),
    (
        "short_memory",
        &["an_owner_that_the_kernel_cannot_keep_is_unknown_and_counted_and_the_connection_stands"],
    ),
    (
        "restart",
        &[
            "a_killed_daemon_loses_no_connection_made_while_it_was_away",
            "a_daemon_that_is_replaced_in_order_leaves_no_gap",
            "connections_made_while_one_daemon_takes_over_from_another_are_each_told_once",
            "processes_that_came_and_went_while_nobody_watched_are_named",
            "what_did_not_fit_into_the_ring_while_nobody_read_is_counted_exactly",
            "a_hook_whose_pin_is_gone_is_attached_anew_and_named",
        ],
    ),
    ("begun_anew", &["another_abi_is_not_adopted_and_the_gap_is_told"]),
    ("unpin", &["unpin_leaves_nothing", "a_daemon_that_a_person_interrupts_leaves_nothing"]),
    (
        "control",
        &["status_tells_hooks_policy_ports_and_coverage", "nothing_stays_attached_after_sigterm_or_sigkill"],
    ),
    (
        MACHINE,
        &[
            "a_clock_that_is_set_shows_in_the_times_of_events_and_in_no_duration",
            "as_a_service_of_systemd_it_starts_reports_reloads_is_watched_and_leaves_nothing_behind",
        ],
    ),
];

/// The file whose promises need a machine of their own, with systemd as its first process.
const MACHINE: &str = "faults_machine";

/// Seconds that one promise may take in a machine; it has limits of its own, which tell more.
const LIMIT: u64 = 150;

/// What a machine's answer about one promise begins with.
const ANSWER: &str = "promise ";

/// Files whose promises are kept one at a time: they load the machine themselves, or change a setting of it.
const ALONE: [&str; 5] = ["attack_wrap", "conservation", "short_lived", "short_memory", MACHINE];

/// How many others are kept at a time: as many as a machine has processors.
const WORKERS: usize = 2;

/// The shell function that keeps one promise. A program that ran no test has kept none.
const KEEP: &str = r#"keep() {
    local begun=${EPOCHREALTIME/./} outcome=failed told=/run/told.$BASHPID
    export GDPRPORT_SKIPS=/run/skips.$BASHPID
    rm -f "$GDPRPORT_SKIPS"
    if timeout --kill-after=5 "$LIMIT" "$2" --include-ignored --exact "$3" >"$told" 2>&1 && grep -q '^test result: ok. 1 passed' "$told"
    then outcome=passed; [ ! -s "$GDPRPORT_SKIPS" ] || outcome=skipped; fi
    [ $outcome = passed ] || cat "$told"
    echo "promise $1::$3 $outcome $(((${EPOCHREALTIME/./} - begun) / 1000)) ms"
}
"#;

/// A promise and the program that keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promise {
    file: &'static str,
    test: &'static str,
    program: PathBuf,
}

impl Promise {
    /// As people name it: file and test.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}::{}", self.file, self.test)
    }

    /// Whether systemd has to be the first process.
    #[must_use]
    pub fn needs_systemd(&self) -> bool {
        self.file == MACHINE
    }
}

/// What became of a promise in a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Kept, in so many milliseconds.
    Passed(u64),
    /// Broken.
    Failed,
    /// Something that is not the kernel's was missing; the machine has said what.
    Skipped,
}

/// Builds the test programs and finds each promise in them.
///
/// # Errors
/// They do not compile, or a promise has got another name.
pub fn build() -> Result<Vec<Promise>> {
    let mut cargo = sh::cargo();
    cargo.args([
        "test",
        "--package",
        "gdprport-tests",
        "--features=machine",
        "--no-run",
        "--message-format=json-render-diagnostics",
    ]);
    let output = cargo.stderr(Stdio::inherit()).output().context("cannot run cargo")?;
    if !output.status.success() {
        bail!("the end-to-end tests do not compile");
    }
    let programs = programs(&String::from_utf8_lossy(&output.stdout));
    let mut promises = Vec::new();
    for (file, tests) in PROMISES {
        let Some(program) = programs.get(*file) else { bail!("there is no test program {file}") };
        let listed = sh::quiet(std::process::Command::new(program).arg("--list"))?;
        for test in *tests {
            if !listed.lines().any(|line| line.strip_suffix(": test") == Some(*test)) {
                bail!("{file} makes no promise {test}: it was renamed or removed");
            }
            promises.push(Promise { file, test, program: program.clone() });
        }
    }
    Ok(promises)
}

/// Programs of tests by name, from cargo's messages.
fn programs(messages: &str) -> HashMap<String, PathBuf> {
    let message = messages.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    message
        .filter(|message| message["target"]["kind"][0] == "test")
        .filter_map(|message| {
            let name = message["target"]["name"].as_str()?.to_owned();
            Some((name, PathBuf::from(message["executable"].as_str()?)))
        })
        .collect()
}

/// What a machine is to do.
#[must_use]
pub fn script(binary: &Path, promises: &[Promise]) -> String {
    let binary = quoted(&[binary.display().to_string()]);
    let mut script = format!("export GDPRPORT_BIN={binary} RUST_BACKTRACE=0\nLIMIT={LIMIT}\n{KEEP}");
    let (alone, others): (Vec<&Promise>, Vec<&Promise>) =
        promises.iter().partition(|promise| ALONE.contains(&promise.file));
    let keep = |Promise { file, test, program }: &Promise| {
        let words = [(*file).to_owned(), program.display().to_string(), (*test).to_owned()];
        format!("keep {}\n", quoted(&words))
    };
    for worker in 0..WORKERS {
        let share: String =
            others.iter().skip(worker).step_by(WORKERS).map(|promise| keep(promise)).collect();
        // A worker without a share would be an empty list, which bash refuses.
        script.push_str(&format!("{{ :\n{share}}} &\n"));
    }
    script.push_str("wait\n");
    script.extend(alone.into_iter().map(keep));
    script
}

/// What a machine has answered so far.
#[derive(Debug, Default)]
pub struct Reading {
    outcomes: HashMap<String, Outcome>,
}

impl Reading {
    /// Takes in one line; others than answers mean nothing.
    pub fn take(&mut self, line: &str) {
        let Some(answer) = line.strip_prefix(ANSWER) else { return };
        let words: Vec<&str> = answer.split(' ').collect();
        let [name, outcome, time, "ms"] = words[..] else { return };
        let outcome = match (outcome, time.parse()) {
            ("passed", Ok(time)) => Outcome::Passed(time),
            ("failed", Ok(_)) => Outcome::Failed,
            ("skipped", Ok(_)) => Outcome::Skipped,
            _ => return,
        };
        self.outcomes.insert(name.to_owned(), outcome);
    }

    /// What became of a promise; one without an answer is broken, for the machine ended before it.
    #[must_use]
    pub fn of(&self, promise: &Promise) -> Outcome {
        self.outcomes.get(&promise.name()).copied().unwrap_or(Outcome::Failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn promise(test: &'static str) -> Promise {
        Promise { file: "bytes", test, program: "/p".into() }
    }

    #[test]
    fn every_promise_is_a_test_of_its_file() {
        for (file, tests) in PROMISES {
            let path = sh::workspace().join("tests/tests").join(file).with_extension("rs");
            let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            for test in *tests {
                assert!(text.contains(&format!("fn {test}(")), "{file} has no test {test}");
            }
        }
    }

    #[test]
    fn only_an_answer_keeps_a_promise() {
        let mut reading = Reading::default();
        for line in [
            "promise bytes::a passed 1234 ms",
            "promise bytes::b failed 5 ms",
            "promise bytes::c skipped 5 ms",
            "promise bytes::d passed",
            "test bytes::e ... ok",
        ] {
            reading.take(line);
        }
        let outcomes = ["a", "b", "c", "d", "e"].map(|test| reading.of(&promise(test)));
        assert_eq!(
            outcomes,
            [Outcome::Passed(1234), Outcome::Failed, Outcome::Skipped, Outcome::Failed, Outcome::Failed]
        );
    }

    #[test]
    fn every_promise_is_kept_once_and_those_that_load_the_machine_come_last() {
        let alone = Promise { file: "conservation", test: "z", program: "/p".into() };
        let promises = [alone, promise("a"), promise("b"), promise("c")];
        let script = script(Path::new("/gdprport"), &promises);
        let told: Vec<&str> = script.lines().filter_map(|line| line.strip_prefix("keep '")).collect();
        assert_eq!(told, ["bytes' '/p' 'a'", "bytes' '/p' 'c'", "bytes' '/p' 'b'", "conservation' '/p' 'z'"]);
    }

    #[test]
    fn test_programs_are_found_in_cargos_messages() {
        let messages = r#"{"reason":"compiler-artifact","target":{"kind":["test"],"name":"bytes"},"executable":"/t/bytes-1"}
{"reason":"compiler-artifact","target":{"kind":["lib"],"name":"gdprport_tests"},"executable":"/t/lib-1"}
{"reason":"build-finished","success":true}
not a message"#;
        let found = programs(messages);
        assert_eq!(found.len(), 1);
        assert_eq!(found["bytes"], Path::new("/t/bytes-1"));
    }
}
