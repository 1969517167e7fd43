//! Who the holders of sockets are: each process is read once.

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gdprport_core::container::ShownLabels;
use gdprport_core::inventory::Holder;
use gdprport_core::ledger::Identity;
use gdprport_core::model::Process;
use gdprport_core::shared::Shared;

use crate::host::clock::BootClock;
use crate::host::containers::Places;
use crate::host::listing::ProcessFd;
use crate::host::process::{ProcTasks, Resolver, Roots};
use crate::host::trust::exposure;

/// How long all names of containers and users together may take that do not come at once: the state of a runtime is read in a
/// few milliseconds, and who looks at a host waits for a second.
const NAMES_WITHIN: Duration = Duration::from_secs(1);

/// How often it is looked whether they have come.
const NAMES_EVERY: Duration = Duration::from_millis(5);

/// The holders that were found out, by inode number of the socket.
pub(super) struct Holders {
    by_inode: HashMap<u32, ProcessFd>,
    by_tgid: HashMap<u32, Holder>,
    /// Processes whose user or container has a name that did not come in time.
    pub(super) unnamed: u64,
}

impl Holders {
    /// Reads the processes that hold these sockets.
    ///
    /// # Errors
    /// If `/proc` cannot be opened, or is not mounted.
    pub(super) fn read(by_inode: HashMap<u32, ProcessFd>, containers: &Places) -> io::Result<Self> {
        let roots = Roots::discover()?;
        let tasks = ProcTasks::open(&roots.proc)?;
        let mut resolver = Resolver::new(&roots, BootClock::measure())?;
        resolver.look_up_containers(containers, &ShownLabels::default());
        let mut processes: HashMap<u32, Shared<Process>> = HashMap::new();
        for holder in by_inode.values() {
            if let std::collections::hash_map::Entry::Vacant(entry) = processes.entry(holder.tgid)
                && let Some(owner) = resolver.owner_of_process(holder.tgid, 0, &tasks)
            {
                entry.insert(resolver.resolve(&owner, &tasks));
            }
        }
        let deadline = Instant::now() + NAMES_WITHIN;
        let mut unnamed = pending(&processes);
        while unnamed > 0 && Instant::now() < deadline {
            std::thread::sleep(NAMES_EVERY);
            if resolver.late_names_arrived() {
                for process in processes.values_mut().filter(|process| process.names_pending) {
                    if let Some(named) = resolver.with_names(process) {
                        *process = named;
                    }
                }
                unnamed = pending(&processes);
            }
        }
        let by_tgid = processes.into_iter().map(|(tgid, process)| (tgid, holder(&process))).collect();
        Ok(Self { by_inode, by_tgid, unnamed })
    }

    /// Who holds the socket of this inode number.
    pub(super) fn of(&self, inode: u32) -> Option<Holder> {
        self.by_tgid.get(&self.by_inode.get(&inode)?.tgid).cloned()
    }
}

fn pending(processes: &HashMap<u32, Shared<Process>>) -> u64 {
    processes.values().filter(|process| process.names_pending).count() as u64
}

fn holder(process: &Process) -> Holder {
    Holder {
        identity: Arc::new(Identity::of(Some(process))),
        claim: claim(process),
        goes_by: process.goes_by().map(Into::into),
    }
}

/// Why the name of an executable of the host is only a claim, if it is: others than root can have put another program there.
/// In a container its image says how programs are called, which the container's name shows.
fn claim(process: &Process) -> Option<Arc<str>> {
    let exe =
        process.exe.as_deref().filter(|_| process.container.is_none() && !process.container_unproven)?;
    let how = exposure(Path::new(exe)).ok()??;
    Some(format!("others than root can replace this executable: {how}").into())
}
