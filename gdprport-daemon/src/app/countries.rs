//! The file of countries that the controller names, as commands read it: `audit`, `report`, `policy check`.
//!
//! Belongs here: reading it, and who may change it. What it says is `core::countries`'s.

use std::path::Path;
use std::sync::Arc;

use gdprport_core::audit::CountriesFile;
use gdprport_core::countries::{Countries, FILE_BYTES_MAX};
use gdprport_core::policy::Controller;
use gdprport_core::records::Zone;
use ipnet::IpNet;

use super::policy::Trust;
use crate::host::configured;
use crate::host::trust::exposure;

/// What a policy's controller says of countries, and what is to be said about the file: that others than root can change it.
///
/// A file that cannot be used is none: nothing of it counts, and the reason is one sentence.
pub(crate) fn countries(controller: Option<&Controller>, trust: Trust) -> (CountriesFile, Option<String>) {
    let Some(path) = controller.and_then(|controller| controller.countries.as_deref()) else {
        return (CountriesFile::NotAsked, None);
    };
    match read(Path::new(path), trust) {
        Ok((countries, exposed)) => (CountriesFile::Read(Arc::new(countries)), exposed),
        Err(why) => (CountriesFile::Unusable(format!("{path} of [controller]: {why}").into()), None),
    }
}

fn read(path: &Path, trust: Trust) -> Result<(Countries, Option<String>), String> {
    // One byte more than allowed, so that it shows that it is too much.
    let bytes = configured::read(path, FILE_BYTES_MAX as u64 + 1)
        .map_err(|error| format!("cannot read it: {error}"))?;
    // Whoever writes it decides which transfers are seen.
    let exposed = match exposure(path).map_err(|error| format!("cannot examine it: {error}"))? {
        None => None,
        Some(how) if trust == Trust::RootOnly => {
            return Err(format!("others than root can change it: {how}; --any-owner takes it all the same"));
        }
        Some(how) => Some(format!("others than root can change {}: {how}", path.display())),
    };
    let countries = Countries::parse(&bytes).map_err(|mistakes| mistakes.to_string())?;
    Ok((countries, exposed))
}

/// The country of a public address, as a record writes it. Others have none, whatever the file says of them.
pub(super) fn country_of(countries: &CountriesFile, net: &IpNet) -> Option<Arc<str>> {
    let CountriesFile::Read(countries) = countries else { return None };
    let country = countries.of(net).filter(|_| Zone::of(net) == Zone::Public)?;
    Some(country.as_str().into())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn controller(path: &Path) -> Controller {
        Controller {
            name: "A".into(),
            contact: None,
            dpo: None,
            joint: None,
            representative: None,
            countries: Some(path.to_str().expect("UTF-8").into()),
            notify_within: None,
        }
    }

    fn why(path: &Path) -> String {
        match countries(Some(&controller(path)), Trust::RootOnly) {
            (CountriesFile::Unusable(why), None) => why.to_string(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_file_that_cannot_be_used_is_none_and_says_why() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("countries.csv");
        assert!(
            why(&file).ends_with("of [controller]: cannot read it: No such file or directory (os error 2)")
        );
        rustix::fs::mknodat(rustix::fs::CWD, &file, rustix::fs::FileType::Fifo, 0o644.into(), 0)
            .expect("a FIFO");
        assert!(why(&file).ends_with("cannot read it: it is a FIFO, not a regular file"));
        std::fs::remove_file(&file).expect("it is there");
        std::fs::write(&file, "198.51.100.0/24,US\n198.51.100.0;DE\n").expect("a file");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).expect("mode");
        assert!(why(&file).contains("line 2: `198.51.100.0;DE` is not a prefix and a country"));
        std::fs::write(&file, "198.51.100.0/24,US\n10.0.0.0/8,DE\n").expect("a file");
        let (read, exposed) = countries(Some(&controller(&file)), Trust::RootOnly);
        let of = |net: &str| country_of(&read, &net.parse().expect("a network"));
        assert_eq!((of("198.51.100.7/32").as_deref(), of("10.0.0.1/32"), exposed), (Some("US"), None, None));
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o666)).expect("mode");
        let said = why(&file);
        assert!(said.contains("others than root can change it") && said.contains("chmod go-w"), "{said}");
        assert_eq!(said.lines().count(), 1);
        let (taken, exposed) = countries(Some(&controller(&file)), Trust::Anyone);
        assert!(matches!(taken, CountriesFile::Read(_)) && exposed.is_some());
        assert!(matches!(countries(None, Trust::RootOnly), (CountriesFile::NotAsked, None)));
    }
}
