//! The core is pure: it gets everything, the time too, as an argument.
//!
//! Single functions and types are listed in `gdprport-daemon/core/clippy.toml`, as clippy finds them under any name. This
//! file lists what clippy cannot: whole modules and crates.

use super::imports::Foreign;

const CORE: &str = "gdprport-daemon/core/src/";

const IMPURE: [(&str, &str); 12] = [
    ("tokio", "waits for nothing"),
    ("aya", "knows no kernel"),
    ("rustix", "makes no system call"),
    ("libc", "makes no system call"),
    ("procfs", "reads no machine"),
    ("uzers", "reads no machine"),
    ("std::fs", "reads no file"),
    ("std::env", "has no environment"),
    ("std::process", "runs no program"),
    ("std::thread", "starts no thread"),
    ("std::os", "knows no descriptor"),
    // Clippy does not find the function.
    ("jiff::Zoned::now", "has no clock"),
];

pub(crate) fn offences(foreign: &[Foreign]) -> Vec<String> {
    let of = |import: &Foreign| {
        let (_, rule) = IMPURE.iter().find(|(name, _)| begins_with(&import.path, name))?;
        Some(format!("{}:{}: `{}`: the core is pure and {rule}", import.from, import.line, import.path))
    };
    foreign.iter().filter(|import| import.from.starts_with(CORE)).filter_map(of).collect()
}

fn begins_with(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;
    use std::process::Command;

    use gdprport_tests::need;
    use gdprport_tests::skip::installed;

    use super::super::files::File;
    use super::super::imports::Imports;
    use super::super::modules::Modules;
    use super::offences;

    fn core(code: &str) -> usize {
        let file = |path: &str, text: String| File { path: format!("gdprport-daemon/core/{path}"), text };
        let manifest = file("Cargo.toml", "[package]\nname = \"gdprport-core\"\n".to_owned());
        let files = [manifest, file("src/lib.rs", format!("//! The core.\n{code}\n"))];
        offences(&Imports::of(&Modules::read(&files).expect("it parses")).foreign).len()
    }

    #[test]
    fn the_core_is_pure_and_addresses_are_not_sockets() {
        assert_eq!(core("use std::net::{IpAddr, SocketAddr};\nuse std::time::Duration;\n// use std::fs;"), 0);
        assert_eq!(core("use std::{collections::BTreeMap, fs::File};"), 1);
        assert_eq!(core("use tokio::time::sleep;"), 1);
        assert_eq!(core("fn f() { assert!(std::env::args().count() > 0) }"), 1);
        assert_eq!(core("use jiff::Zoned as Time;\nfn f() { Time::now() }"), 1);
        assert_eq!(core("use std as s;\nfn f() { s::thread::yield_now() }"), 1);
        assert_eq!(core("#[cfg(test)]\nmod tests {\n    use std::fs;\n}"), 0);
        assert_eq!(core("#[cfg(any(test, fuzzing))]\nmod hostile {\n    use std::fs;\n}"), 1);
    }

    /// A crate beside the core's own settings of clippy, as the core is.
    #[test]
    fn clippy_finds_the_clock_and_sockets_under_any_name() {
        let toolchain = Path::new(env!("CARGO")).parent().expect("a folder of programs");
        let clippy = need!(installed(&[&format!("{}/cargo-clippy", toolchain.display())], "clippy"));
        let dir = tempfile::tempdir().expect("a temporary folder");
        let write = |path: &str, text: &str| fs::write(dir.path().join(path), text).expect("a file");
        fs::create_dir(dir.path().join("src")).expect("a folder");
        write(
            "Cargo.toml",
            "[package]\nname = \"pure\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n",
        );
        write("clippy.toml", include_str!("../../../gdprport-daemon/core/clippy.toml"));
        write(
            "src/lib.rs",
            "//! Not pure.\nuse std::time::Instant as Clock;\nuse std::net::{self, ToSocketAddrs as _};\n\
             pub fn now() -> Clock { Clock::now() }\npub fn socket(at: net::SocketAddr) -> bool {\n\
             net::TcpStream::connect(at).is_ok()\n}\npub fn files() { let read = std::fs::read::<&str>; _ = read; }\n\
             pub fn addresses() -> bool { \"a:1\".to_socket_addrs().is_ok() }\n",
        );
        let output = Command::new(clippy)
            .args(["clippy", "--quiet", "--offline", "--message-format", "short", "--", "-D", "warnings"])
            .current_dir(dir.path())
            .env("CARGO_TARGET_DIR", dir.path().join("target"))
            // Not whatever cargo is in the PATH of root, as whom the tests run.
            .env("CARGO", env!("CARGO"))
            .env("RUSTC", toolchain.join("rustc"))
            .env_remove("CLIPPY_CONF_DIR")
            .output()
            .expect("clippy starts");
        let printed = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{printed}");
        for (line, name) in [
            (2, "std::time::Instant"),
            (4, "std::time::Instant::now"),
            (6, "std::net::TcpStream"),
            (8, "std::fs::read"),
            (9, "std::net::ToSocketAddrs::to_socket_addrs"),
        ] {
            let is_found = |text: &str| {
                text.starts_with(&format!("src/lib.rs:{line}:")) && text.ends_with(&format!("`{name}`"))
            };
            assert!(printed.lines().any(is_found), "{name}\n{printed}");
        }
    }
}
