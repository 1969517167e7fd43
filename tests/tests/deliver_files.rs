//! Files that the deliverer reads for a connection, on file systems that hang.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use gdprport_tests::deliver::Deliverer;
use gdprport_tests::receivers::{Fake, Plain};
use gdprport_tests::temp::TempDir;

fn make_fifo(path: &Path) {
    let name = CString::new(path.as_os_str().as_bytes()).expect("a path");
    // SAFETY: a string that ends with a zero and lives through the call.
    assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o644) }, 0, "a FIFO");
}

fn test(deliverer: &Deliverer, name: &str) -> (String, Duration) {
    let begun = Instant::now();
    let output = deliverer.ask(["sink", "test", name]);
    let words = String::from_utf8_lossy(&output.stdout).split_whitespace().collect::<Vec<_>>().join(" ");
    (words, begun.elapsed())
}

/// Nobody ever writes to the FIFO, so that reading it hangs as a dead network file system does.
#[test]
fn a_file_system_that_hangs_stops_no_other_sink() {
    let (dir, fake) = (TempDir::new(), Fake::start(Plain::default()));
    let fifo = dir.join("authorities");
    make_fifo(&fifo);
    let config = format!(
        "[[sink]]\nname = \"hangs\"\ntype = \"http\"\nurl = \"https://127.0.0.1:9/\"\n\n\
         [[sink]]\nname = \"well\"\ntype = \"http\"\nurl = \"{}/\"\n",
        fake.url()
    );
    let deliverer = Deliverer::start_with(&config, &[("SSL_CERT_FILE", &fifo)]);
    std::thread::scope(|scope| {
        let hangs = scope.spawn(|| test(&deliverer, "hangs"));
        // It certainly hangs by the last of these.
        for _ in 0..5 {
            let (said, took) = test(&deliverer, "well");
            assert!(said.contains("it arrived") && took < Duration::from_secs(3), "{took:?}: {said}");
            std::thread::sleep(Duration::from_millis(200));
        }
        let (said, took) = hangs.join().expect("it ends");
        let why = "the authorities that this system trusts cannot be read: the file system does not answer";
        assert!(said.contains(why) && took >= Duration::from_secs(4), "{took:?}: {said}");
    });
    let (said, took) = test(&deliverer, "hangs");
    assert!(said.contains("earlier attempts to read it still wait for the file system"), "{said}");
    assert!(took < Duration::from_secs(3), "it is not tried again: {took:?}");
    deliverer.stop();
}
