//! Processes, their users and containers.

use super::time::millis;
use uuid::Uuid;

use crate::encode::object::Object;
use crate::encode::sides::{base, id, pid};
use crate::model::{Container, Process};

/// Who has the local end.
pub(super) fn actor(process: Option<&Process>, o: &mut Object<'_>) {
    if let Some(process) = process {
        o.object("actor", |o| self::process("process", process, o));
    }
}

/// A process under this name. The object demands a pid: without one there is none, and `unmapped` has what is known.
pub(super) fn process(name: &str, process: &Process, o: &mut Object<'_>) {
    let Some(pid) = pid(process) else { return };
    o.object(name, |o| {
        o.put("pid", pid);
        o.may("name", process.exe.as_deref().map(base).or(process.comm.as_deref()));
        o.may("created_time", process.started.map(millis));
        file(process.exe.as_deref(), o);
        o.object("user", |o| {
            o.may("uid", id(process.uid).map(|id| id.to_string()));
            o.may("name", process.user.as_ref());
        });
        o.object("group", |o| {
            o.may("uid", id(process.gid).map(|id| id.to_string()));
            o.may("name", process.group.as_ref());
        });
        o.may("euid", process.euid);
        o.may("egid", process.egid);
        if let Some(container) = &process.container {
            o.object("container", |o| self::container(container, o));
        }
        if let Some(parent) = &process.parent {
            o.object("parent_process", |o| {
                o.put("pid", parent.pid);
                o.may("name", parent.exe.as_deref().map(base));
                file(parent.exe.as_deref(), o);
            });
        }
    });
}

fn file(exe: Option<&str>, o: &mut Object<'_>) {
    if let Some(exe) = exe {
        o.object("file", |o| {
            o.put("name", base(exe));
            o.put("path", exe);
            // A regular file.
            o.put("type_id", 1);
        });
    }
}

fn container(container: &Container, o: &mut Object<'_>) {
    o.put("uid", &container.id);
    o.may("runtime", container.runtime.as_ref());
    let is_pod = container.pod.is_some();
    o.may("orchestrator", is_pod.then_some("kubernetes"));
    o.may("pod_uuid", container.pod.as_deref().and_then(|pod| Uuid::try_parse(pod).ok()));
    let Some(names) = container.names() else { return };
    o.may("name", names.name.as_ref());
    if let Some(image) = &names.image {
        o.object("image", |o| {
            o.put("name", image);
            // The object demands one.
            o.put("uid", names.image_id.as_ref().or(names.image_digest.as_ref()).unwrap_or(image));
        });
    }
    o.objects("tags", &names.labels, |o, (label, value)| {
        o.put("name", label);
        o.put("value", value);
    });
}

/// What has no attribute, under this name.
pub(super) fn unmapped(name: &str, process: Option<&Process>, o: &mut Object<'_>) {
    let Some(process) = process else { return };
    o.object(name, |o| {
        o.put("attribution", process.attribution);
        if pid(process).is_none() {
            o.may("exe", process.exe.as_ref());
            o.may("user", process.user.as_ref());
        }
        o.may("comm", process.comm.as_ref());
        o.may("script", process.script.as_ref());
        o.may("proxy", process.proxy);
        o.may("unit", process.unit.as_ref());
        o.may("slice", process.slice.as_ref());
        o.may("cgroup", process.cgroup.as_ref());
        o.may("netns", process.netns);
        o.may("container", process.container.as_ref());
    });
}
