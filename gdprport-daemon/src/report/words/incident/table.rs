//! Which words a draft has.

use super::super::words;

words! {
    IncidentWords:
    title, draft, to_fill_about, not_guessed,
    // The notification.
    notification, kind_of, kind_of_ask, aware, aware_ask, deadline, deadline_after, deadline_at, delay, delay_ask,
    reporter, reporter_ask, authority, authority_ask,
    // The controller.
    controller_about, processors, processors_ask,
    // The breach.
    breach, time, time_ask, asked_time, how, how_ask, of_what, of_what_ask, subjects, subjects_ask, data, data_ask, number_people,
    number_records, number_ask, declared_then,
    // What was reachable.
    reachable, reachable_about, no_listeners, address, held_by, who_can, every_address, listening, still_open, rules_then, rules_about,
    no_policies, no_policy_then, text_unknown, nothing_declared, policy, in_force, allows, demanded,
    // What happened.
    happened, happened_about, nothing_happened, by_hour, hour,
    // How it was protected.
    protection, protection_about, measures_then,
    // What was not watched.
    unwatched, unwatched_about, all_watched, not_watched, partly_watched, before_ledger, watched_of, more_times,
    // For people.
    people, consequences, consequences_ask, taken, taken_ask, communication, communication_ask, other_states, other_states_ask, foot,
}
