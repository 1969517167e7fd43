//! Writing policies: only the text that a test needs.

use std::fmt::Write as _;

/// One `[[port]]` under construction.
#[derive(Debug, Clone)]
pub struct Declaration {
    text: String,
}

/// What a port sends unless a test says otherwise. Tests count single events; `auto.rs` proves the default.
const EMIT: &str = "emit = \"every\"\n";

/// Declares `port` as `name`, served on this host. It sends every event.
#[must_use]
pub fn declare(name: &str, port: u16) -> Declaration {
    Declaration { text: format!("\n[[port]]\nname = \"{name}\"\nport = {port}\n{EMIT}") }
}

/// Declares `port` so that everything on it is allowed, as role `serving` and role `calling`.
#[must_use]
pub fn open(port: u16) -> Declaration {
    declare(&format!("port-{port}"), port)
        .allow("serving", "in", "any", "")
        .allow("calling", "out", "any", "")
}

impl Declaration {
    /// Sends what the daemon sends where a policy says nothing.
    #[must_use]
    pub fn emit_by_default(mut self) -> Self {
        self.text = self.text.replacen(EMIT, "", 1);
        self
    }

    /// One more key of the port, before any rule, for example `emit = "violations"`.
    #[must_use]
    pub fn key(mut self, line: &str) -> Self {
        if line.starts_with("emit = ") {
            self = self.emit_by_default();
        }
        let rules = self.text.find("\n[[port.allow]]").unwrap_or(self.text.len());
        self.text.insert_str(rules, &format!("{line}\n"));
        self
    }

    /// A rule: `peer` is one entry of `peers`; `process` the inside of the table, empty for any process.
    #[must_use]
    pub fn allow(mut self, role: &str, direction: &str, peer: &str, process: &str) -> Self {
        let _ = write!(
            self.text,
            "\n[[port.allow]]\nrole = \"{role}\"\ndirection = \"{direction}\"\npeers = [\"{peer}\"]\n"
        );
        if !process.is_empty() {
            let _ = writeln!(self.text, "process = {{ {process} }}");
        }
        self
    }

    /// One more key of the last rule, for example `until = 2020-01-31`.
    #[must_use]
    pub fn rule_key(mut self, line: &str) -> Self {
        let _ = writeln!(self.text, "{line}");
        self
    }

    /// A policy of this declaration alone.
    #[must_use]
    pub fn alone(self) -> String {
        policy([self])
    }
}

/// A policy of these declarations.
pub fn policy(declarations: impl IntoIterator<Item = Declaration>) -> String {
    let mut text = "version = 1\n".to_owned();
    text.extend(declarations.into_iter().map(|declaration| declaration.text));
    text
}
