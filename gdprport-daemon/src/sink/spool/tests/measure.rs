//! What each way of syncing costs, on demand: `GDPRPORT_MEASURE=DIR cargo test -p gdprport-daemon --lib spool::tests::measure
//! -- --ignored --nocapture`, in a directory on the disk that matters.

use std::time::{Duration, Instant};

use crate::sink::destination::Target as _;
use crate::sink::spool::hostile::BOOT;
use crate::sink::spool::settings::{SpoolSettings, SpoolSync};
use crate::sink::spool::writer::Writer;
use crate::sink::testing::together;

/// For so long each is measured.
const PERIOD: Duration = Duration::from_secs(4);

/// Events of a batch: what a round of the loop hands over under load.
const BATCH: usize = 64;

#[test]
#[ignore = "on demand: measures the disk"]
fn events_a_second_for_each_way_of_syncing() {
    let place = std::env::var_os("GDPRPORT_MEASURE").unwrap_or_else(|| std::env::temp_dir().into());
    let batch = together(BATCH);
    let bytes = batch.lines(BATCH).len() / BATCH;
    for (name, sync) in [
        ("never", SpoolSync::Never),
        ("1s", SpoolSync::Within(Duration::from_secs(1))),
        ("batch", SpoolSync::Batch),
    ] {
        let dir = tempfile::tempdir_in(&place).expect("a directory");
        let mut writer = Writer::new(SpoolSettings { sync, ..SpoolSettings::new(dir.path()) }, BOOT);
        writer.open();
        let (begin, mut events) = (Instant::now(), 0_u32);
        while begin.elapsed() < PERIOD {
            assert_eq!(writer.write(&batch, BATCH).delivered, BATCH);
            events += 64;
            if writer.due().is_some_and(|due| due <= Instant::now()) {
                writer.tend().expect("it can be synced");
            }
        }
        let rate = f64::from(events) / begin.elapsed().as_secs_f64();
        println!("{name}: {rate:.0} events/s of {bytes} bytes");
    }
}
