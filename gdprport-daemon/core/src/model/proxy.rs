//! Userland proxies of container runtimes: programs that stand between a published port and a container.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A program that accepts the connections to a published port and makes others to the container, so that a flow at either
/// side of it has the proxy, and not the process behind it, as its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum UserlandProxy {
    /// Docker's, one for each published port (`userland-proxy`).
    DockerProxy,
    /// Podman's for rootless containers.
    Rootlessport,
    /// Docker's and Podman's network of rootless containers.
    #[serde(rename = "slirp4netns")]
    Slirp4netns,
    /// The same, by passt.
    Pasta,
    /// The user-mode network of virtual machines.
    Passt,
    /// Podman's and CRI-O's monitor of a container, which holds its published ports open.
    Conmon,
    /// Kubernetes' service proxy.
    KubeProxy,
}

/// Where packages put programs: only root can write there.
const OF_ROOT: [&str; 4] = ["/usr/", "/opt/", "/snap/", "/nix/store/"];

impl UserlandProxy {
    /// The proxy that this executable is, which is proven to be the host's own file of this path. A program elsewhere may
    /// have been called so by anybody.
    #[must_use]
    pub fn of_exe(exe: &str) -> Option<Self> {
        let name = exe.rsplit('/').next().filter(|_| OF_ROOT.iter().any(|root| exe.starts_with(root)))?;
        Some(match name {
            "docker-proxy" => Self::DockerProxy,
            "rootlessport" => Self::Rootlessport,
            "slirp4netns" => Self::Slirp4netns,
            "pasta" | "pasta.avx2" => Self::Pasta,
            "passt" | "passt.avx2" => Self::Passt,
            "conmon" => Self::Conmon,
            "kube-proxy" => Self::KubeProxy,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_known_by_its_path_where_only_root_writes() {
        let of = UserlandProxy::of_exe;
        assert_eq!(of("/usr/bin/docker-proxy"), Some(UserlandProxy::DockerProxy));
        assert_eq!(of("/usr/libexec/podman/rootlessport"), Some(UserlandProxy::Rootlessport));
        assert_eq!(of("/usr/bin/pasta.avx2"), Some(UserlandProxy::Pasta));
        for other in [
            "/home/eve/usr/bin/docker-proxy",
            "/tmp/docker-proxy",
            "/usr/bin/docker-proxy2",
            "$'/usr/conmon\\xff'",
            "",
        ] {
            assert_eq!(of(other), None, "{other}");
        }
    }
}
