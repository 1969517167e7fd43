//! A set of TCP ports.

/// Number of TCP ports.
const PORTS: usize = 65_536;

/// A set of TCP ports with constant-time membership.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortSet(Box<[u64; PORTS / 64]>);

impl PortSet {
    /// True if the port is in the set.
    #[must_use]
    pub fn contains(&self, port: u16) -> bool {
        self.0[usize::from(port) / 64] >> (port % 64) & 1 == 1
    }
}

impl FromIterator<u16> for PortSet {
    fn from_iter<I: IntoIterator<Item = u16>>(ports: I) -> Self {
        let mut bits = Box::new([0; PORTS / 64]);
        for port in ports {
            bits[usize::from(port) / 64] |= 1 << (port % 64);
        }
        Self(bits)
    }
}
