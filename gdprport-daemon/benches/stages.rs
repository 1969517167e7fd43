//! Time per item of every case: `cargo bench -p gdprport-daemon --bench stages`, with a name to filter by. The baseline
//! holds instruction counts (`cargo xtask bench check`): times depend on the machine.

mod world;

use divan::Bencher;

#[divan::bench(args = world::CASES.iter().map(|case| case.name))]
fn case(bencher: Bencher<'_, '_>, name: &str) {
    let case = world::CASES.iter().find(|case| case.name == name).expect("listed");
    let mut item = (case.make)();
    let mut number = 0;
    bencher.bench_local(|| {
        number += 1;
        item(number);
    });
}

fn main() {
    divan::main();
}
