//! Who is at this end of a flow, as far as the ledger keeps it: what stays the same when a program is started again.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{Attribution, Container, Names, Naming, Process, StatedBy, Workload};

/// A process without what changes with every start: no pid, no times, no cgroup, no ids of containers and pods.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
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
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
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

    /// The process as far as it is kept: what a policy can be asked about again. What is not kept is not known, which is
    /// never the same as absent. `None`: nothing is known of the owner.
    #[must_use]
    pub fn evidence(&self) -> Option<Process> {
        (self.attribution != Attribution::Unknown).then(|| Process {
            exe: self.exe.clone(),
            script: self.script.clone(),
            unit: self.unit.clone(),
            uid: self.uid.unwrap_or(u32::MAX),
            user: self.user.clone(),
            group: self.group.clone(),
            names_pending: true,
            container: self.container.as_ref().map(|container| container.evidence(self)),
            attribution: self.attribution,
            ..Process::UNKNOWN
        })
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
    fn evidence(&self, own: &Identity) -> Container {
        let by = self.stated_by.unwrap_or(0);
        // How another user is called is not kept.
        let called = own.user.clone().filter(|_| own.uid == Some(by));
        let known =
            [&self.name, &self.image, &self.namespace, &self.workload].iter().any(|name| name.is_some());
        let names = || Names {
            name: self.name.clone(),
            image: self.image.clone(),
            image_digest: None,
            image_id: None,
            labels: BTreeMap::new(),
            labels_omitted: u32::MAX,
            labels_unshown: BTreeMap::new(),
            compose: None,
            namespace: self.namespace.clone(),
            pod_name: None,
            workload: self
                .workload
                .as_deref()
                .and_then(|text| text.split_once('/'))
                .map(|(kind, name)| Workload { kind: kind.into(), name: name.into() }),
            stated_by: StatedBy { uid: by, user: called.clone() },
            writes_state: false,
        };
        Container {
            id: "".into(),
            runtime: self.runtime.clone(),
            pod: None,
            claimed_by: self.stated_by,
            naming: if known && (by == 0 || called.is_some()) {
                Naming::Known(names().into())
            } else {
                Naming::Unknown
            },
        }
    }

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
