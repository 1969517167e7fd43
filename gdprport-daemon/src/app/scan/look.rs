//! One look at the host.

use std::io;
use std::path::Path;

use gdprport_core::inventory::{ADDRESSES_EACH, Inventory, Sorted, Unread};
use gdprport_core::policy::ActivePolicy;
use jiff::Timestamp;

use super::holders::Holders;
use super::progress::{Progress, Step};
use crate::app::remedy::with_remedy;
use crate::host::containers::Places;
use crate::host::listing::{Everything, ListingError};
use crate::host::netns;
use crate::host::probes::LoadError;

const PROC: &str = "/proc";

/// What a look needs to know.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look<'a> {
    /// The policy whose declarations are compared; `None`: there is none.
    pub(crate) policy: Option<&'a ActivePolicy>,
    /// Where containers are looked up.
    pub(crate) containers: &'a Places,
    /// Where it is said how far it has come.
    pub(crate) progress: &'a Progress,
}

/// Why there is nothing to see at all.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ScanError {
    /// Processes cannot be listed.
    #[error(transparent)]
    Listing(#[from] ListingError),
    /// `/proc` is not as it should be.
    #[error("cannot read /proc: {0}; mount it (`mount -t proc proc /proc`)")]
    Proc(io::Error),
    /// The kernel programs cannot be loaded.
    #[error("{}; without --watch they are not needed", with_remedy(.0))]
    Kernel(#[from] LoadError),
    /// The process lacks something every process has.
    #[error("cannot start: {0}")]
    System(io::Error),
}

/// Looks at every listener and connection of the host and who holds them. Takes a fraction of a second; on a host with very
/// many processes or sockets, seconds: for a thread that may block. Loads nothing into the kernel and disturbs no daemon.
///
/// # Errors
/// If there is nothing to see at all. What else could not be looked at is in the inventory.
pub(crate) fn look(how: &Look<'_>) -> Result<Inventory, ScanError> {
    look_up_to(how, ADDRESSES_EACH)
}

/// The same with every address of every peer, for a policy that must not allow more than was seen.
///
/// # Errors
/// As [`look`].
pub(crate) fn look_at_all(how: &Look<'_>) -> Result<Inventory, ScanError> {
    look_up_to(how, usize::MAX)
}

fn look_up_to(how: &Look<'_>, each: usize) -> Result<Inventory, ScanError> {
    let proc = Path::new(PROC);
    let from = Timestamp::now();
    how.progress.begin(Step::Sockets);
    let mut everything = Everything::list(proc)?;
    let sorted = Sorted::new(std::mem::take(&mut everything.sockets), how.policy).addresses_each(each);
    how.progress.begin(Step::Holders);
    let mut inodes: Vec<u32> = sorted.holders_wanted().filter(|inode| *inode != 0).collect();
    inodes.sort_unstable();
    inodes.dedup();
    let (by_inode, refused) = Everything::holders(proc, &inodes)?;
    let unheld = inodes.len().saturating_sub(by_inode.len()) as u64;
    how.progress.begin(Step::Names);
    let holders = Holders::read(by_inode, how.containers).map_err(ScanError::Proc)?;
    let inventory = sorted.build(|inode| holders.of(inode), how.policy, netns::own_inode().unwrap_or(0));
    let unread = unread(&everything, refused, unheld, holders.unnamed);
    Ok(Inventory { from: Some(from), to: Some(Timestamp::now()), unread, ..inventory })
}

/// The name of this host.
pub(crate) fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// What could not be looked at.
fn unread(everything: &Everything, refused: u64, unheld: u64, unnamed: u64) -> Vec<Unread> {
    let root = rustix::process::geteuid().is_root();
    let run_as_root = if root {
        "not even root may here; run it outside of the container or sandbox"
    } else {
        "only root may; run it with sudo"
    };
    // Processes whose descriptors may not be read matter only if a holder was not found among the others.
    let (refused, hidden_holders) = match (unheld, refused) {
        (0, _) => (0, 0),
        (unheld, 0) => (0, unheld),
        (_, refused) => (refused, 0),
    };
    [
        ("network namespaces", everything.namespaces, format!("not allowed to enter: {run_as_root}")),
        (
            "processes",
            everything.hidden,
            format!("network namespaces that may not be read, so what listens there may be missing: {run_as_root}"),
        ),
        (
            "processes",
            refused,
            format!("descriptors that may not be read, so listeners may have no holder: {run_as_root}"),
        ),
        (
            "sockets",
            hidden_holders,
            "no process that is visible here is their holder: it is the kernel (NFS), or in another pid namespace"
                .to_owned(),
        ),
        (
            "sockets",
            everything.missing,
            "counted by the kernel and not listed: look again".to_owned(),
        ),
        (
            "sockets",
            everything.over,
            "beyond what is kept at once: these connections are missing".to_owned(),
        ),
        (
            "processes",
            unnamed,
            "the names of their users or containers did not come within a second: look again"
                .to_owned(),
        ),
    ]
    .into_iter()
    .filter(|(_, count, _)| *count > 0)
    .map(|(what, count, why)| Unread { what: what.into(), count, why: why.into() })
    .collect()
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;
    use gdprport_core::inventory::Exposure;

    fn this_host() -> Inventory {
        let (containers, progress) = (Places::default(), Progress::default());
        look(&Look { policy: None, containers: &containers, progress: &progress }).expect("/proc is mounted")
    }

    #[test]
    fn a_listener_of_this_process_is_found_with_its_client() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
        let address = listener.local_addr().expect("bound");
        let _client = TcpStream::connect(address).expect("connects");
        let _server = listener.accept().expect("accepts");
        let found = this_host();
        let mine = found.listeners.iter().find(|one| one.port == address.port()).expect("it is listed");
        let exe = std::env::current_exe().expect("readable");
        assert_eq!(mine.holder.exe.as_deref(), exe.to_str());
        assert_eq!((mine.exposure, mine.own_netns), (Some(Exposure::Loopback), true));
        assert_eq!(mine.peers.len(), 1);
        assert_eq!(mine.peers[0].process.as_ref().and_then(|process| process.exe.as_deref()), exe.to_str());
        assert!(found.from.is_some() && !found.watched);
    }
}
