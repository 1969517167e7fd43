//! The workload whose pod a pod is.
//!
//! Belongs here: what the labels that controllers of Kubernetes give their pods prove, together with the pod's name. A name
//! alone proves nothing: anybody may call a pod `orders-7d9c5b8f6d-x2x4q`.
//!
//! Nor do labels prove more than that whoever may create pods in the namespace has written them: owner references are on the
//! API server only. In one's own namespace one can be taken for another workload, in no other.
//!
//! Sources, of Kubernetes: `pkg/controller/deployment/sync.go` (`pod-template-hash`), `pkg/controller/statefulset` and
//! `daemon/update.go` (`controller-revision-hash`), `pkg/controller/job/indexed_job_utils.go`, `pkg/controller/controller_utils.go`
//! and `apiserver/pkg/storage/names/generate.go` (names of pods). Of Argo Rollouts: `utils/replicaset`.

use std::sync::Arc;

use super::stated::{NAME_MAX, text};
use crate::model::Workload;

/// Characters at the end of a generated name, and all that they can be (`apimachinery/pkg/util/rand`).
const RANDOM: usize = 5;
const ALPHABET: &str = "bcdfghjklmnpqrstvwxz2456789";

/// Bytes of a generated name; what stands before its random end is cut off so that it has no more.
const GENERATED_MAX: usize = 63;

/// The kinds of workloads that can be proven, the most common first.
pub const KINDS: [&str; 5] = ["Deployment", "StatefulSet", "DaemonSet", "Job", "Rollout"];

/// The value of a pod's label.
type Labels<'a> = dyn Fn(&str) -> Option<&'a str> + 'a;

/// The workload that a pod's labels and name prove, if they prove one only.
pub(super) fn of<'a>(pod: &'a str, labels: &Labels<'a>) -> Option<Workload> {
    let proven = [
        deployment(pod, labels, "Deployment", "pod-template-hash"),
        deployment(pod, labels, "Rollout", "rollouts-pod-template-hash"),
        stateful_set(pod, labels),
        daemon_set(pod, labels),
        job(pod, labels),
    ];
    let mut proven = proven.into_iter().flatten();
    let (kind, name) = proven.next()?;
    debug_assert!(KINDS.contains(&kind), "{kind} is not among the kinds that a rule can ask for");
    let is_one = proven.next().is_none();
    text(name, NAME_MAX).filter(|_| is_one).map(|name| Workload { kind: Arc::from(kind), name })
}

type Proven<'a> = Option<(&'static str, &'a str)>;

fn label<'a>(labels: &Labels<'a>, key: &str) -> Option<&'a str> {
    labels(key).filter(|value| !value.is_empty())
}

/// `NAME-HASH-RANDOM`, of a replica set `NAME-HASH`. One without deployment has no such label.
fn deployment<'a>(pod: &'a str, labels: &Labels<'a>, kind: &'static str, key: &str) -> Proven<'a> {
    let hash = label(labels, key)?;
    let name = generated(pod)?.strip_suffix(hash)?.strip_suffix('-')?;
    Some((kind, name))
}

/// `NAME-ORDINAL`. The revision is `NAME-HASH`; since 1.28 a label has the ordinal too.
fn stateful_set<'a>(pod: &'a str, labels: &Labels<'a>) -> Proven<'a> {
    let (name, ordinal) = pod.rsplit_once('-')?;
    let revision = label(labels, "controller-revision-hash");
    let by_revision =
        revision.and_then(|text| text.strip_prefix(name)).is_some_and(|rest| rest.starts_with('-'));
    let by_index = label(labels, "apps.kubernetes.io/pod-index") == Some(ordinal);
    let proven = is_number(ordinal)
        && label(labels, "statefulset.kubernetes.io/pod-name") == Some(pod)
        && (by_revision || by_index);
    proven.then_some(("StatefulSet", name))
}

/// `NAME-RANDOM`. A name of the full length may have been cut off.
fn daemon_set<'a>(pod: &'a str, labels: &Labels<'a>) -> Proven<'a> {
    label(labels, "controller-revision-hash")?;
    let generation = label(labels, "pod-template-generation")?;
    let name = generated(pod).filter(|_| is_number(generation) && pod.len() < GENERATED_MAX)?;
    Some(("DaemonSet", name))
}

/// The label has the job's whole name: for a cron job that of this run, `NAME-MINUTES`.
fn job<'a>(pod: &str, labels: &Labels<'a>) -> Proven<'a> {
    let new = label(labels, "batch.kubernetes.io/job-name");
    let old = label(labels, "job-name");
    let name = new.or(old).filter(|_| new.is_none() || old.is_none() || new == old)?;
    let (start, _) = pod.split_at_checked(pod.len().checked_sub(RANDOM)?)?;
    (is_start(start, name) || is_cut_off(pod, start, name)).then_some(("Job", name))
}

/// `NAME-` or `NAME-INDEX-`.
fn is_start(start: &str, name: &str) -> bool {
    let rest = start.strip_prefix(name).and_then(|rest| rest.strip_prefix('-'));
    rest.is_some_and(|rest| rest.is_empty() || rest.strip_suffix('-').is_some_and(is_number))
}

/// The same of which a part of the name was cut off, so that the whole has the greatest length.
fn is_cut_off(pod: &str, start: &str, name: &str) -> bool {
    let without_index = start
        .strip_suffix('-')
        .and_then(|start| start.rsplit_once('-'))
        .filter(|(_, index)| is_number(index));
    let part = without_index.map_or(start, |(part, _)| part);
    pod.len() == GENERATED_MAX && (name.starts_with(part) || name.starts_with(start))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// What stands before the random end of a generated name.
fn generated(pod: &str) -> Option<&str> {
    let (name, random) = pod.rsplit_once('-')?;
    let is_random = random.len() == RANDOM && random.chars().all(|c| ALPHABET.contains(c));
    is_random.then_some(name)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn found(pod: &str, labels: &[(&str, &str)]) -> Option<String> {
        let get = |key: &str| labels.iter().find(|(name, _)| *name == key).map(|(_, value)| *value);
        of(pod, &get).map(|workload| format!("{}/{}", workload.kind, workload.name))
    }

    #[rstest]
    #[case::deployment("orders-7d9c5b8f6d-x2x4q", &[("pod-template-hash", "7d9c5b8f6d")], Some("Deployment/orders"))]
    #[case::with_dashes("a-b-c-7d9c5b8f6d-x2x4q", &[("pod-template-hash", "7d9c5b8f6d")], Some("Deployment/a-b-c"))]
    #[case::rollout("orders-7d9c5b8f6d-x2x4q", &[("rollouts-pod-template-hash", "7d9c5b8f6d")], Some("Rollout/orders"))]
    #[case::set("db-0", &[("statefulset.kubernetes.io/pod-name", "db-0"), ("controller-revision-hash", "db-6f8d")], Some("StatefulSet/db"))]
    #[case::set_index("db-10", &[("statefulset.kubernetes.io/pod-name", "db-10"), ("apps.kubernetes.io/pod-index", "10")], Some("StatefulSet/db"))]
    #[case::daemon("agent-x2x4q", &[("controller-revision-hash", "5c6b"), ("pod-template-generation", "2")], Some("DaemonSet/agent"))]
    #[case::job("nightly-x2x4q", &[("job-name", "nightly")], Some("Job/nightly"))]
    #[case::cron("nightly-29384712-x2x4q", &[("batch.kubernetes.io/job-name", "nightly-29384712"), ("job-name", "nightly-29384712")], Some("Job/nightly-29384712"))]
    #[case::indexed_job("nightly-3-x2x4q", &[("job-name", "nightly")], Some("Job/nightly"))]
    fn a_workload_is_known_by_its_labels(
        #[case] pod: &str,
        #[case] labels: &[(&str, &str)],
        #[case] expected: Option<&str>,
    ) {
        assert_eq!(found(pod, labels).as_deref(), expected);
    }

    #[rstest]
    #[case::name_alone("orders-7d9c5b8f6d-x2x4q", &[])]
    #[case::other_hash("orders-7d9c5b8f6d-x2x4q", &[("pod-template-hash", "5b8f6d")])]
    #[case::empty_hash("orders--x2x4q", &[("pod-template-hash", "")])]
    #[case::no_name("-7d9c5b8f6d-x2x4q", &[("pod-template-hash", "7d9c5b8f6d")])]
    #[case::only_hash("7d9c5b8f6d-x2x4q", &[("pod-template-hash", "7d9c5b8f6d")])]
    #[case::no_random_end("orders-7d9c5b8f6d-aaaaa", &[("pod-template-hash", "7d9c5b8f6d")])]
    #[case::cut_off("orders-7d9c5b8x2x4q", &[("pod-template-hash", "7d9c5b8f6d")])]
    #[case::two_controllers("orders-7d9c5b8f6d-x2x4q", &[("pod-template-hash", "7d9c5b8f6d"), ("rollouts-pod-template-hash", "7d9c5b8f6d")])]
    #[case::set_without_revision("db-0", &[("statefulset.kubernetes.io/pod-name", "db-0")])]
    #[case::set_of_another_pod("db-0", &[("statefulset.kubernetes.io/pod-name", "db-1"), ("controller-revision-hash", "db-6f8d")])]
    #[case::set_of_another_name("db-0", &[("statefulset.kubernetes.io/pod-name", "db-0"), ("controller-revision-hash", "dbx-6f8d")])]
    #[case::revision_alone("agent-x2x4q", &[("controller-revision-hash", "5c6b")])]
    #[case::generation_no_number("agent-x2x4q", &[("controller-revision-hash", "5c6b"), ("pod-template-generation", "x")])]
    #[case::job_of_another_name("orders-x2x4q", &[("job-name", "nightly")])]
    #[case::two_job_names("nightly-x2x4q", &[("job-name", "nightly"), ("batch.kubernetes.io/job-name", "other")])]
    #[case::short("a", &[("job-name", "a"), ("pod-template-hash", "a")])]
    #[case::not_ascii("aéé", &[("job-name", "a"), ("pod-template-hash", "é")])]
    fn what_proves_no_single_workload_names_none(#[case] pod: &str, #[case] labels: &[(&str, &str)]) {
        assert_eq!(found(pod, labels), None);
    }

    #[test]
    fn a_name_that_may_be_cut_off_is_no_daemon_set() {
        let labels = [("controller-revision-hash", "5c6b"), ("pod-template-generation", "2")];
        let long = format!("{}-x2x4q", "a".repeat(57));
        assert_eq!((long.len(), found(&long, &labels)), (63, None));
        assert!(found(&long[1..], &labels).is_some());
    }

    /// The job's name is in the label whole.
    #[test]
    fn a_job_with_a_long_name_is_known() {
        let name = format!("nightly-{}", "a".repeat(52));
        let labels = [("job-name", &*name)];
        let pod = format!("{}x2x4q", &name[..58]);
        let indexed = format!("{}-10-x2x4q", &name[..54]);
        for pod in [pod, indexed] {
            assert_eq!((pod.len(), found(&pod, &labels)), (63, Some(format!("Job/{name}"))));
        }
        assert_eq!(found(&format!("{}x2x4q", "b".repeat(58)), &labels), None);
    }
}
