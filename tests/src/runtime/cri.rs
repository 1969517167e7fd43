//! containerd's CRI, asked as a kubelet asks it: pods and their containers. There is no `crictl` in Debian, so the few
//! messages are written here (`k8s.io/cri-api`, `runtime/v1/api.proto`) and sent by curl.

use std::fs;
use std::process::{Command, Stdio};

use super::ctr::Ctr;
use super::image::IMAGE;
use crate::skip::{Missing, installed};
use crate::temp::TempDir;
use crate::wait;

/// A pod as Kubernetes identifies it.
#[derive(Debug, Clone, Copy)]
pub struct PodName<'a> {
    /// Its namespace.
    pub namespace: &'a str,
    /// Its name.
    pub name: &'a str,
    /// Its uid, with dashes.
    pub uid: &'a str,
    /// Its own labels.
    pub labels: &'a [(&'a str, &'a str)],
}

/// A running pod on the network of the host, in the cgroups in which a kubelet puts one; removed on drop.
#[derive(Debug)]
pub struct Pod<'a> {
    pod: PodName<'a>,
    sandbox: String,
}

impl<'a> Pod<'a> {
    /// Starts one.
    ///
    /// # Errors
    /// This is not a machine with runtimes, or has no curl.
    pub fn run(pod: PodName<'a>) -> Result<Self, Missing> {
        installed(&["/usr/bin/curl"], "curl")?;
        let _with_the_image = Ctr::new("k8s.io")?;
        // containerd learns of an image that its own client has brought a little later.
        let sandbox = wait::within(wait::TIMEOUT, "the pod's sandbox", || {
            call("RunPodSandbox", &message(1, &sandbox(&pod))).ok().map(|answer| id(&answer))
        });
        Ok(Self { pod, sandbox })
    }

    /// Starts a container in it and returns its id.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    #[track_caller]
    pub fn start(&self, name: &str, command: &[&str]) -> String {
        let labels = [("io.kubernetes.container.name", name)];
        let config = [
            message(1, &text(1, name)),
            message(2, &text(1, IMAGE)),
            command.iter().flat_map(|word| text(3, word)).collect(),
            map(9, labels.into_iter().chain(self.pod.own_labels())),
            text(11, &format!("{name}/0.log")),
            message(15, &message(2, &message(3, &on_host_network()))),
        ]
        .concat();
        let request = [text(1, &self.sandbox), message(2, &config), message(3, &sandbox(&self.pod))].concat();
        let container = id(&call("CreateContainer", &request).unwrap_or_else(|why| panic!("{name}: {why}")));
        call("StartContainer", &text(1, &container)).unwrap_or_else(|why| panic!("{name}: {why}"));
        container
    }
}

impl Drop for Pod<'_> {
    fn drop(&mut self) {
        for method in ["StopPodSandbox", "RemovePodSandbox"] {
            let done = call(method, &text(1, &self.sandbox));
            assert!(std::thread::panicking() || done.is_ok(), "{method}: {done:?}");
        }
    }
}

impl<'a> PodName<'a> {
    /// The labels by which a kubelet names the pod of each sandbox and container.
    fn own_labels(&self) -> [(&'a str, &'a str); 3] {
        [
            ("io.kubernetes.pod.name", self.name),
            ("io.kubernetes.pod.namespace", self.namespace),
            ("io.kubernetes.pod.uid", self.uid),
        ]
    }
}

/// `PodSandboxConfig`.
fn sandbox(pod: &PodName<'_>) -> Vec<u8> {
    let slice = format!(
        "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{}.slice",
        pod.uid.replace('-', "_")
    );
    [
        message(1, &[text(1, pod.name), text(2, pod.uid), text(3, pod.namespace)].concat()),
        text(3, &format!("/var/log/pods/{}_{}_{}", pod.namespace, pod.name, pod.uid)),
        map(6, pod.labels.iter().copied().chain(pod.own_labels())),
        message(8, &[text(1, &slice), message(2, &message(1, &on_host_network()))].concat()),
    ]
    .concat()
}

/// `NamespaceOption`: the network of the node.
fn on_host_network() -> Vec<u8> {
    vec![1 << 3, 2]
}

/// A field of bytes.
fn message(field: u8, bytes: &[u8]) -> Vec<u8> {
    let mut coded = vec![field << 3 | 2];
    let mut length = bytes.len();
    while length > 0x7f {
        coded.push(u8::try_from(length & 0x7f).expect("seven bits") | 0x80);
        length >>= 7;
    }
    coded.push(u8::try_from(length).expect("seven bits"));
    coded.extend(bytes);
    coded
}

fn text(field: u8, text: &str) -> Vec<u8> {
    message(field, text.as_bytes())
}

fn map<'a>(field: u8, entries: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<u8> {
    entries.flat_map(|(key, value)| message(field, &[text(1, key), text(2, value)].concat())).collect()
}

/// The first field of an answer: an id, which is shorter than 128 bytes.
#[track_caller]
fn id(answer: &[u8]) -> String {
    let (head, rest) = answer.split_at_checked(2).expect("an id");
    String::from_utf8(rest[..usize::from(head[1])].to_vec()).expect("an id is text")
}

/// One call; the error is what the runtime says.
fn call(method: &str, request: &[u8]) -> Result<Vec<u8>, String> {
    let dir = TempDir::new();
    let (headers, body) = (dir.join("headers"), dir.join("body"));
    let length = u32::try_from(request.len()).expect("a short message").to_be_bytes();
    fs::write(&body, [&[0][..], &length, request].concat()).expect("a fresh file");
    let answer = Command::new("/usr/bin/curl")
        .args(["--silent", "--show-error", "--http2-prior-knowledge"])
        .args(["--unix-socket", "/run/containerd/containerd.sock"])
        .args(["--header", "content-type: application/grpc", "--header", "te: trailers"])
        .arg("--dump-header")
        .arg(&headers)
        .arg("--data-binary")
        .arg(format!("@{}", body.display()))
        .arg(format!("http://localhost/runtime.v1.RuntimeService/{method}"))
        .stdin(Stdio::null())
        .output()
        .expect("curl can be run");
    let headers = fs::read_to_string(&headers).unwrap_or_default();
    if !headers.contains("grpc-status: 0") {
        return Err(format!("{method}: {headers}{}", String::from_utf8_lossy(&answer.stderr)));
    }
    Ok(answer.stdout.get(5..).unwrap_or_default().to_vec())
}
