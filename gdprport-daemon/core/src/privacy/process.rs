//! What is shown of a process.

use std::sync::Arc;

use super::account::is_person;
use super::paths::Own;
use super::settings::Privacy;
use crate::model::{Container, Names, Naming, Parent, Process, StatedBy};

impl Privacy {
    /// What is shown of a process: the names and ids of persons are replaced wherever they stand. Of a container it is who
    /// made it and who can write what names it; how it is called stays.
    #[must_use]
    pub fn process(&self, process: &Process) -> Process {
        if !self.hides_users() {
            return process.clone();
        }
        let user = process.user.as_ref().filter(|_| is_person(process.uid));
        // A group of the system that is called like the user would name the user.
        let group = process
            .group
            .as_ref()
            .filter(|group| is_person(process.gid) || user.is_some_and(|user| user == *group));
        let names = [user, group].into_iter().flatten().map(|name| &**name);
        let own = Own::new(names, Some(process.uid).filter(|uid| is_person(*uid)));
        let text = |text: &Option<Arc<str>>| text.as_ref().map(|text| self.text(text, &own));
        let name = |name: &Arc<str>| self.user_name(name).into();
        Process {
            exe: text(&process.exe),
            script: text(&process.script),
            comm: text(&process.comm),
            uid: self.id(process.uid),
            user: user.map(name).or_else(|| process.user.clone()),
            gid: self.id(process.gid),
            group: group.map(name).or_else(|| process.group.clone()),
            euid: process.euid.map(|id| self.id(id)),
            egid: process.egid.map(|id| self.id(id)),
            unit: text(&process.unit),
            slice: text(&process.slice),
            container: process.container.as_ref().map(|container| self.container(container)),
            cgroup: text(&process.cgroup),
            parent: process.parent.as_ref().map(|parent| Parent { exe: text(&parent.exe), ..parent.clone() }),
            ..process.clone()
        }
    }

    fn container(&self, container: &Container) -> Container {
        let naming = match &container.naming {
            Naming::Known(names) if is_person(names.stated_by.uid) => {
                let StatedBy { uid, user } = &names.stated_by;
                let stated_by = StatedBy {
                    uid: self.id(*uid),
                    user: user.as_ref().map(|user| self.user_name(user).into()),
                };
                Naming::Known(Arc::new(Names { stated_by, ..Names::clone(names) }))
            }
            naming => naming.clone(),
        };
        Container { claimed_by: container.claimed_by.map(|id| self.id(id)), naming, ..container.clone() }
    }
}
