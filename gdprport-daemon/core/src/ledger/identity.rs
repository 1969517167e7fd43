//! Who is at this end of a flow, as far as the ledger keeps it: what stays the same when a program is started again.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::{Attribution, Container, Naming, Process};

/// A process without what changes with every start: no pid, no times, no cgroup, no ids of containers and pods.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Identity {
    /// How the owner is known.
    pub attribution: Attribution,
    /// Absolute path of the executable; `None` if not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exe: Option<Arc<str>>,
    /// Absolute path of the script that the executable interprets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub script: Option<Arc<str>>,
    /// systemd unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<Arc<str>>,
    /// Real user id; `None` if nothing is known of the process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// The user's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<Arc<str>>,
    /// The group's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<Arc<str>>,
    /// The container; `None` outside of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<ContainerIdentity>,
}

/// A container by its names. All are words of whoever made it (`stated_by`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ContainerIdentity {
    /// `docker`, `containerd`, …; `None` where it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime: Option<Arc<str>>,
    /// The container's name; in Kubernetes its name in the pod. `None` where no state names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Arc<str>>,
    /// The image as it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<Arc<str>>,
    /// The Kubernetes namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Arc<str>>,
    /// The workload, as `kind/name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload: Option<Arc<str>>,
    /// The user who has made the container or can write what names it; `None`: root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stated_by: Option<u32>,
}

impl Identity {
    /// Nobody is known.
    pub const UNKNOWN: Self = Self {
        attribution: Attribution::Unknown,
        exe: None,
        script: None,
        unit: None,
        uid: None,
        user: None,
        group: None,
        container: None,
    };

    /// What stays the same of a process; `None`: nothing is known of the owner.
    #[must_use]
    pub fn of(process: Option<&Process>) -> Self {
        let Some(process) = process.filter(|process| process.attribution != Attribution::Unknown) else {
            return Self::UNKNOWN;
        };
        Self {
            attribution: process.attribution,
            exe: process.exe.clone(),
            script: process.script.clone(),
            unit: process.unit.clone(),
            uid: Some(process.uid),
            user: process.user.clone(),
            group: process.group.clone(),
            container: process.container.as_ref().map(ContainerIdentity::of),
        }
    }

    /// The shortest text that names it for people: the container, the unit or the file name of the executable.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        let container = self.container.as_ref().and_then(|container| container.name.as_deref());
        let file = |path: &'_ str| path.rfind('/').map_or(0, |slash| slash + 1);
        let program = self.script.as_deref().or(self.exe.as_deref()).map(|path| &path[file(path)..]);
        container.or(program).or(self.unit.as_deref())
    }
}

impl ContainerIdentity {
    fn of(container: &Container) -> Self {
        let Naming::Known(names) = &container.naming else {
            return Self {
                runtime: container.runtime.clone(),
                stated_by: container.claimed_by,
                ..Self::default()
            };
        };
        let by = Some(names.stated_by.uid).filter(|uid| *uid != 0);
        Self {
            runtime: container.runtime.clone(),
            name: names.name.clone(),
            image: names.image.clone(),
            namespace: names.namespace.clone(),
            workload: names
                .workload
                .as_ref()
                .map(|workload| format!("{}/{}", workload.kind, workload.name).into()),
            stated_by: container.claimed_by.or(by),
        }
    }
}
