//! What `cargo xtask bench` measures with, in one program of several roles: `instrument` takes orders on standard input
//! and replies on standard output; `floor OBJECT PORT` is the least possible monitor; `hooks` and `hooks-no-skb`
//! are the product's hooks with nothing in them; `hold NUMBER COUNT PORT…` holds connections for the instrument;
//! `ledger DIR FLOWS EDGES DAYS` stores flows; `big DIR ROWS PORTS DAYS` makes a big ledger, and `spent PROGRAM…` says what a command
//! took of it; `evidence DIR ENTRIES` writes and verifies a log; `serve PORT` and `call PORT FROM TO WAYS SECONDS COUNT PAUSE`, in copies
//! under other names, are the ends of connections whose owners are compared.
//!
//! Belongs in this package: making load, starting monitors and ending them, reading clocks. Does not belong here: what
//! is compared and what it means; that is `xtask/src/bench`.

mod big;
mod clock;
mod deliver;
mod evidence;
mod floor;
mod growing;
mod instrument;
mod ledger;
mod load;
mod monitors;
mod programs;
mod request;
mod spent;

use std::error::Error;
use std::process::ExitCode;

fn hold(number: &str, count: &str, ports: &[&str]) -> Result<(), Box<dyn Error>> {
    let ports = ports.iter().map(|port| port.parse()).collect::<Result<Vec<u16>, _>>()?;
    Ok(load::hold(number.parse()?, count.parse()?, &ports)?)
}

fn call(port: &str, from: &str, to: &str, numbers: [&str; 4]) -> Result<(), Box<dyn Error>> {
    let mut parsed = [0; 4];
    for (parsed, number) in parsed.iter_mut().zip(numbers) {
        *parsed = number.parse()?;
    }
    Ok(load::call(port.parse()?, from, to, parsed)?)
}

fn serve(port: &str) -> Result<(), Box<dyn Error>> {
    Ok(load::serve(port.parse()?)?)
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let done = match args.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["instrument"] => instrument::run(),
        ["floor", object, port] => floor::run(object, port),
        ["hooks", object, port] => floor::hooks(object, port, true),
        ["hooks-no-skb", object, port] => floor::hooks(object, port, false),
        ["ledger", dir, flows, edges, days] => ledger::run(dir.as_ref(), [flows, edges, days]),
        ["big", dir, rows, ports, days] => big::run(dir.as_ref(), [rows, ports, days]),
        ["spent", program, args @ ..] => spent::run(program, args),
        ["evidence", dir, entries] => evidence::run(dir.as_ref(), entries),
        ["deliver", receiver, events] => deliver::run(receiver, events),
        ["hold", number, count, ports @ ..] => hold(number, count, ports),
        ["serve", port] => serve(port),
        ["call", port, from, to, ways, seconds, count, pause] => call(port, from, to, [ways, seconds, count, pause]),
        _ => Err("usage: gdprport-bench instrument | {floor|hooks|hooks-no-skb} OBJECT PORT | hold NUMBER COUNT PORT… | ledger DIR FLOWS \
                   EDGES DAYS | big DIR ROWS PORTS DAYS | spent PROGRAM… | evidence DIR ENTRIES | serve PORT | call PORT FROM TO \
                   WAYS SECONDS COUNT PAUSE"
            .into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("gdprport-bench: {error}");
            ExitCode::FAILURE
        }
    }
}
