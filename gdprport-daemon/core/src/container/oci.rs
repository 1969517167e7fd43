//! The configuration that a runtime is given for a container: `config.json` of the OCI runtime specification.
//!
//! Belongs here: its annotations and mounts, whoever wrote it. What the annotations mean is `containerd`'s and `crio`'s.

use super::Unreadable;
use super::json::Json;
use super::stated::Stated;

/// What is read of a `config.json`.
#[derive(Debug)]
pub(super) struct Config<'de>(Json<'de>);

impl<'de> Config<'de> {
    pub(super) fn read(bytes: &'de [u8]) -> Result<Self, Unreadable> {
        let config = Json::read(bytes, &["ociVersion", "annotations", "mounts"])?;
        if config.get("ociVersion").text().is_none() {
            return Err(Unreadable::Malformed("an OCI configuration"));
        }
        Ok(Self(config))
    }

    pub(super) fn annotation(&self, key: &str) -> Option<&str> {
        self.0.get("annotations").get(key).text()
    }

    /// Adds what of the host is mounted.
    pub(super) fn mounts(&self, stated: &mut Stated) {
        mounts(&self.0, stated);
    }
}

/// Adds what of the host a configuration mounts, which may be a part of another text.
pub(super) fn mounts(config: &Json<'_>, stated: &mut Stated) {
    for mount in config.get("mounts").items() {
        let options = || mount.get("options").items().iter().filter_map(Json::text);
        let is_bind = mount.get("type").text() == Some("bind")
            || options().any(|option| matches!(option, "bind" | "rbind"));
        let Some(source) = mount.get("source").text().filter(|_| is_bind) else { continue };
        // Of contrary options the last counts (runc, `libcontainer/specconv`).
        match options().rfind(|option| matches!(*option, "ro" | "rro" | "rw" | "rrw")) {
            Some("ro" | "rro") => stated.mounts_read_only(source),
            _ => stated.mounts(source),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mounts(text: &str) -> (Vec<String>, Vec<String>) {
        let mut stated = Stated::default();
        Config::read(text.as_bytes()).expect("read").mounts(&mut stated);
        let sources =
            |mounts: &[super::super::Mount]| mounts.iter().map(|mount| mount.source.to_string()).collect();
        (sources(&stated.mounts), sources(&stated.read_only_mounts))
    }

    #[test]
    fn bind_mounts_are_of_the_host() {
        let text = r#"{"ociVersion":"1.0.2","mounts":[
            {"destination":"/proc","type":"proc","source":"proc"},
            {"destination":"/dev/shm","type":"tmpfs","source":"/tmpfs","options":["rw"]},
            {"destination":"/a","type":"bind","source":"/host/a","options":["rbind","rw"]},
            {"destination":"/b","type":"none","source":"/host/b","options":["rbind"]},
            {"destination":"/c","type":"bind","source":"/host/c","options":["rbind","ro"]},
            {"destination":"/d","type":"bind","source":"/host/d","options":["ro","rw"]},
            {"destination":"/e","type":"bind","source":"volume"}]}"#;
        let (writable, read_only) = mounts(text);
        assert_eq!(
            (writable, read_only),
            (vec!["/host/a".into(), "/host/b".into(), "/host/d".into()], vec!["/host/c".into()])
        );
    }

    /// Options that cannot be read make no mount read-only.
    #[test]
    fn an_odd_mount_loses_no_other() {
        let text = r#"{"ociVersion":"1.0.2","mounts":[7,{"type":"bind","source":["/x"]},null,
            {"type":"bind","source":"/host/a","options":{"ro":true}},{"type":"bind","source":"/host/b","options":[1,"ro"]}]}"#;
        assert_eq!(mounts(text), (vec!["/host/a".into()], vec!["/host/b".into()]));
        assert_eq!(mounts(r#"{"ociVersion":"1.0.2","mounts":"/"}"#), (vec![], vec![]));
    }

    #[test]
    fn other_json_is_no_configuration() {
        for text in ["{}", "[]", "null", "\"\"", r#"{"ociVersion":1}"#, ""] {
            assert!(Config::read(text.as_bytes()).is_err(), "{text}");
        }
    }
}
