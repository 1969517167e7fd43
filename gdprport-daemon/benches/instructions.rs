//! Runs one case for an instruction counter that counts inside `gdprport_measured` only:
//! `instructions CASE ITEMS`. Without arguments, as `cargo bench` and `cargo test` call it, it names the cases. For the
//! kernel programs: `instructions --loopback PORT COUNT` makes connections.

mod world;

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::ExitCode;

/// Items processed before the count begins, so that tables have their size and caches are warm.
const WARM_UP: u64 = 2_048;

/// What is counted. Its name is how the counter finds it.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn gdprport_measured(items: u64, item: &mut world::case::Item) {
    for number in WARM_UP..WARM_UP + items {
        item(number);
    }
}

/// Makes connections to itself, one after the other in one thread, so that nothing but the count decides what the
/// kernel does.
fn loopback(port: u16, count: u32) -> std::io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    for _ in 0..count {
        let client = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        let (server, _) = listener.accept()?;
        drop(client);
        drop(server);
    }
    Ok(())
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    if let [port, count] = args.as_slice()
        && std::env::args().any(|arg| arg == "--loopback")
        && let (Ok(port), Ok(count)) = (port.parse(), count.parse())
    {
        return loopback(port, count).map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS);
    }
    let [name, items] = args.as_slice() else {
        for case in world::CASES {
            println!("{}", case.name);
        }
        return ExitCode::SUCCESS;
    };
    let (Some(case), Ok(items)) = (world::CASES.iter().find(|case| case.name == name), items.parse()) else {
        eprintln!("usage: instructions CASE ITEMS");
        return ExitCode::from(2);
    };
    let mut item = (case.make)();
    (0..WARM_UP).for_each(&mut item);
    gdprport_measured(items, &mut item);
    ExitCode::SUCCESS
}
