//! A process of the ledger as a policy compares it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::identity::{ContainerIdentity, Identity};
use crate::model::{Container, Names, Naming, Process, StatedBy, Workload};

impl Identity {
    /// The process as a policy compares it. What the identity does not keep is not known.
    #[must_use]
    pub fn process(&self) -> Process {
        Process {
            exe: self.exe.clone(),
            script: self.script.clone(),
            unit: self.unit.clone(),
            uid: self.uid.unwrap_or(u32::MAX),
            user: self.user.clone(),
            group: self.group.clone(),
            container: self.container.as_ref().map(container),
            attribution: self.attribution,
            ..Process::UNKNOWN
        }
    }
}

fn container(container: &ContainerIdentity) -> Container {
    let ContainerIdentity { runtime, name, image, namespace, workload, stated_by } = container;
    let by = StatedBy { uid: stated_by.unwrap_or(0), user: None };
    let named = [name, image, namespace, workload].into_iter().any(Option::is_some);
    let workload = workload.as_deref().and_then(|text| text.split_once('/'));
    let names = Names {
        name: name.clone(),
        image: image.clone(),
        image_digest: None,
        image_id: None,
        labels: BTreeMap::new(),
        labels_omitted: u32::MAX,
        labels_unshown: BTreeMap::new(),
        compose: None,
        namespace: namespace.clone(),
        pod_name: None,
        workload: workload.map(|(kind, name)| Workload { kind: kind.into(), name: name.into() }),
        stated_by: by,
        writes_state: false,
    };
    Container {
        id: "".into(),
        runtime: runtime.clone(),
        pod: None,
        claimed_by: *stated_by,
        naming: if named { Naming::Known(Arc::new(names)) } else { Naming::Unknown },
    }
}
