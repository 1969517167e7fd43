//! The watched port numbers, and which declarations claim each.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use crate::catalog;
use crate::policy::declared::{Emit, ProcessingRecord, TlsDemand};
use crate::policy::enforcement::Enforcement;
use crate::policy::model::{Declaration, Site};

/// One watched port number.
#[derive(Debug, Clone)]
pub struct PortInfo {
    /// Its place in [`Policy::watched`](super::Policy::watched).
    pub index: usize,
    /// The TCP port.
    pub number: u16,
    /// The name of its declaration, or the catalog's identifier of the service.
    pub name: Arc<str>,
    /// The catalog's identifier of the protocol: as declared, or else as the catalog knows the number.
    pub protocol: Option<Arc<str>>,
    /// `false`: watched because the catalog knows the number, not because a policy declares it.
    pub declared: bool,
    /// What its declaration demands of the encryption of its flows.
    pub tls: TlsDemand,
    /// Which events its flows produce.
    pub emit: Emit,
    /// What is done about connections that no rule allows.
    pub enforcement: Enforcement,
    /// The declared record of processing.
    pub record: Option<Arc<ProcessingRecord>>,
}

/// A declaration's claim to a number, or the catalog's to one that no declaration claims.
#[derive(Debug)]
pub(crate) struct PortClaim {
    pub info: PortInfo,
    /// `None`: the catalog's.
    pub declaration: Option<usize>,
    /// Whether the service runs here; what the catalog knows does.
    pub local: bool,
}

/// All claims, ascending by number; of one number the local claim first, then the remote ones by name.
#[derive(Debug)]
pub(super) struct PortTable {
    claims: Vec<PortClaim>,
    numbers: Vec<(u16, Range<usize>)>,
}

impl PortTable {
    pub(super) fn claims(&self) -> &[PortClaim] {
        &self.claims
    }

    /// The claims to one number; empty if it is not watched. O(log n).
    pub(super) fn of(&self, number: u16) -> &[PortClaim] {
        let found = self.numbers.binary_search_by_key(&number, |(number, _)| *number);
        found.map_or(&[], |place| &self.claims[self.numbers[place].1.clone()])
    }
}

/// Collects claims, then makes the table.
#[derive(Default)]
pub(super) struct PortTableBuilder(BTreeMap<u16, Vec<PortClaim>>);

impl PortTableBuilder {
    /// Adds the numbers of one declaration; declarations come by name.
    pub(super) fn declare(&mut self, index: usize, declared: &Declaration) {
        let protocol: Option<Arc<str>> = declared.protocol.map(|service| service.id.into());
        let local = matches!(declared.site, Site::Local(_));
        for number in declared.numbers.iter().flat_map(|range| range.value.first..=range.value.last) {
            let claims = self.0.entry(number).or_default();
            let same = if local { claims.first() } else { claims.last() };
            // Ranges of one declaration may overlap.
            if same.is_some_and(|claim| claim.declaration == Some(index)) {
                continue;
            }
            let known = || catalog::by_port(number).map(|service| service.id.into());
            let info = PortInfo {
                index: 0,
                number,
                name: Arc::clone(&declared.name),
                protocol: protocol.clone().or_else(known),
                declared: true,
                tls: declared.tls.clone(),
                emit: declared.emit,
                enforcement: declared.enforcement,
                record: declared.record.as_ref().map(|record| Arc::clone(&record.value)),
            };
            let place = if local { 0 } else { claims.len() };
            claims.insert(place, PortClaim { info, declaration: Some(index), local });
        }
    }

    /// The declarations that share a number with another one.
    pub(super) fn shared(&self) -> HashSet<usize> {
        let shared = self.0.values().filter(|claims| claims.len() > 1);
        shared.flatten().filter_map(|claim| claim.declaration).collect()
    }

    /// Adds a number that nothing declares, unless it is there; by the name of the service, if there is one.
    pub(super) fn watch(&mut self, number: u16, service: Option<&catalog::Service>) {
        self.0.entry(number).or_insert_with(|| {
            let info = PortInfo {
                index: 0,
                number,
                name: service.map_or_else(|| number.to_string().into(), |service| service.id.into()),
                protocol: service.map(|service| service.id.into()),
                declared: false,
                tls: TlsDemand::None,
                emit: Emit::default(),
                enforcement: Enforcement::default(),
                record: None,
            };
            vec![PortClaim { info, declaration: None, local: true }]
        });
    }

    /// Adds what the catalog knows and no declaration claims.
    pub(super) fn build(mut self) -> PortTable {
        for service in catalog::SERVICES {
            service.ports.iter().for_each(|number| self.watch(*number, Some(service)));
        }
        let mut table = PortTable { claims: Vec::new(), numbers: Vec::with_capacity(self.0.len()) };
        for (number, claims) in self.0 {
            let first = table.claims.len();
            table.claims.extend(claims);
            table.numbers.push((number, first..table.claims.len()));
        }
        table.claims.iter_mut().enumerate().for_each(|(index, claim)| claim.info.index = index);
        table
    }
}
