//! Processes and their containers: `process`, `user`, `container`, `orchestrator`, and what ECS has no field for.

use std::collections::BTreeMap;

use crate::encode::object::Object;
use crate::encode::sides::{base, id, pid};
use crate::event::time::Micros;
use crate::model::{Container, Names, Naming, Process};

/// The owner of the local end.
pub(super) fn local(process: &Process, o: &mut Object<'_>) {
    o.object("process", |o| self::process(process, o));
    o.object("user", |o| account(process.uid, process.user.as_deref(), o));
    let Some(container) = &process.container else { return };
    o.object("container", |o| self::container(container, o));
    let names = container.names();
    if container.pod.is_none() && names.is_none_or(|names| names.namespace.is_none()) {
        return;
    }
    o.object("orchestrator", |o| {
        o.put("type", "kubernetes");
        o.may("namespace", names.and_then(|names| names.namespace.as_ref()));
        o.object("resource", |o| {
            o.put("type", "pod");
            o.may("id", container.pod.as_ref());
            o.may("name", names.and_then(|names| names.pod_name.as_ref()));
            let workload = names.and_then(|names| names.workload.as_ref());
            o.object("parent", |o| o.may("type", workload.map(|workload| &workload.kind)));
        });
    });
}

/// Of the owner of the local end, what ECS has no field for. That it is not known is said, too.
pub(super) fn own(process: Option<&Process>, o: &mut Object<'_>) {
    o.object("process", |o| match process {
        Some(process) => {
            rest(process, o);
            if let Some(container) = &process.container {
                o.object("container", |o| own_container(container, o));
            }
        }
        None => o.put("attribution", "unknown"),
    });
}

/// The owner of the other end, for whom ECS has no place: with the names that `process` and `container` have.
pub(super) fn peer(process: &Process, o: &mut Object<'_>) {
    self::process(process, o);
    rest(process, o);
    if let Some(container) = &process.container {
        o.object("container", |o| {
            self::container(container, o);
            own_container(container, o);
        });
    }
}

/// `user` and `group` of ECS are the effective ones: they are known only where they differ from the real ones.
fn process(process: &Process, o: &mut Object<'_>) {
    o.may("pid", pid(process));
    o.may("start", process.started.map(Micros));
    o.may("executable", process.exe.as_ref());
    o.may("name", process.exe.as_deref().map(base).or(process.comm.as_deref()));
    o.object("thread", |o| o.may("name", process.comm.as_ref()));
    o.object("real_user", |o| account(process.uid, process.user.as_deref(), o));
    o.object("real_group", |o| account(process.gid, process.group.as_deref(), o));
    o.object("user", |o| o.may("id", process.euid.map(|id| id.to_string())));
    o.object("group", |o| o.may("id", process.egid.map(|id| id.to_string())));
    if let Some(parent) = &process.parent {
        o.object("parent", |o| {
            o.put("pid", parent.pid);
            o.may("executable", parent.exe.as_ref());
        });
    }
}

/// In ECS ids are text.
fn account(number: u32, name: Option<&str>, o: &mut Object<'_>) {
    o.may("id", id(number).map(|id| id.to_string()));
    o.may("name", name);
}

fn rest(process: &Process, o: &mut Object<'_>) {
    o.put("attribution", process.attribution);
    o.may("script", process.script.as_ref());
    o.may("proxy", process.proxy);
    o.may("unit", process.unit.as_ref());
    o.may("slice", process.slice.as_ref());
    o.may("cgroup", process.cgroup.as_ref());
    o.may("netns", process.netns);
}

fn container(container: &Container, o: &mut Object<'_>) {
    o.put("id", &container.id);
    o.may("runtime", container.runtime.as_ref());
    let Some(names) = container.names() else { return };
    o.may("name", names.name.as_ref());
    o.object("image", |o| {
        o.may("name", names.image.as_ref());
        o.object("hash", |o| o.all("all", names.image_digest.as_ref()));
    });
    o.may("labels", labels(names));
}

/// Elasticsearch reads a dot in a name as an object within, so that `app` and `app.kubernetes.io/name` exclude each other:
/// as Elastic's own agents do, they become `_`. Labels that are the same then have all their values.
fn labels(names: &Names) -> Option<BTreeMap<String, Vec<&str>>> {
    let mut labels: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (name, value) in &names.labels {
        let mut name = name.trim().replace('.', "_");
        if name.is_empty() {
            // No name of a field.
            "_".clone_into(&mut name);
        }
        labels.entry(name).or_default().push(value);
    }
    (!labels.is_empty()).then_some(labels)
}

fn own_container(container: &Container, o: &mut Object<'_>) {
    let naming = match container.naming {
        Naming::Pending => "pending",
        Naming::Unknown => "unknown",
        Naming::Known(_) => "known",
    };
    o.put("naming", naming);
    o.may("pod", container.pod.as_ref());
    o.may("claimed_by", container.claimed_by);
    let Some(names) = container.names() else { return };
    o.may("image_id", names.image_id.as_ref());
    o.may("labels_omitted", Some(names.labels_omitted).filter(|omitted| *omitted > 0));
    o.may("compose", names.compose.as_ref());
    o.may("namespace", names.namespace.as_ref());
    o.may("pod_name", names.pod_name.as_ref());
    o.may("workload", names.workload.as_ref());
    o.put("stated_by", &names.stated_by);
    o.may("writes_state", names.writes_state.then_some(true));
}
