//! How owners of sockets, names of containers and translations were found out.

use super::family::{Family, Samples};
use crate::control::api::Status;

pub(super) fn metrics(status: &Status) -> Vec<Family> {
    let (owners, containers, nat) = (&status.owners, &status.containers, &status.translations);
    vec![
        Family::counter(
            "gdprport_owner_lookups_total",
            &[],
            "Owners of sockets that were looked up.",
            Samples::one(owners.asked),
        ),
        Family::counter(
            "gdprport_owner_lookups_remembered_total",
            &[],
            "Of these, found in the cache.",
            Samples::one(owners.remembered),
        ),
        Family::counter(
            "gdprport_owner_executables_total",
            &["evidence"],
            "Executables by how they are known: read when they were `executed`, from a `live` process, `named` by execve alone, or `unknown`.",
            Samples::by([
                ("executed", owners.exe_executed),
                ("live", owners.exe_live),
                ("named", owners.exe_named),
                ("unknown", owners.exe_unknown),
            ]),
        ),
        Family::counter(
            "gdprport_owner_cache_forgotten_total",
            &[],
            "Entries removed because a cache of owners was full.",
            Samples::one(owners.forgotten),
        ),
        Family::counter(
            "gdprport_owner_names_late_total",
            &[],
            "Owners reported without the name of a user or group, because the host's name service was late.",
            Samples::one(owners.names_late),
        ),
        Family::gauge(
            "gdprport_owner_names_awaited",
            &[],
            "Users and groups whose names are awaited.",
            Samples::one(owners.names_awaited),
        ),
        Family::counter(
            "gdprport_container_lookups_total",
            &["outcome"],
            "Containers looked up: `known` or `unknown` to every runtime's state, or `dropped` for want of room.",
            Samples::by([
                ("known", containers.known),
                ("unknown", containers.unknown),
                ("dropped", containers.dropped),
            ]),
        ),
        Family::gauge(
            "gdprport_container_lookups_stuck",
            &[],
            "Threads that wait for a file system which does not answer.",
            Samples::one(containers.stuck),
        ),
        Family::counter(
            "gdprport_translation_questions_total",
            &[],
            "Questions to the kernel's connection tracking.",
            Samples::one(nat.asked),
        ),
        Family::counter(
            "gdprport_translation_answers_total",
            &["outcome"],
            "Of these, those that show a translation (`translated`) and those without a usable answer (`unanswered`), and questions not asked (`dropped`).",
            Samples::by([
                ("translated", nat.translated),
                ("unanswered", nat.unanswered),
                ("dropped", nat.dropped),
            ]),
        ),
    ]
}
