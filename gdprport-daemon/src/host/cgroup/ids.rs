//! Every cgroup that there is.

use super::Cgroups;

impl Cgroups {
    /// The ids of every directory of the hierarchy, and of its root; at most as many as one walk reads.
    pub(in crate::host) fn ids(&mut self) -> Vec<u64> {
        self.walked_ns = None;
        self.walk(0);
        let known = self.known.keys().copied();
        known.chain((self.root_id != 0).then_some(self.root_id)).collect()
    }
}
