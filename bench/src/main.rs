//! Measurements against peers, side by side in one run.
//!
//! `vettid-bench [--json] [--only NAME]...` prints every figure of the table in the order of
//! [`figure::NAMES`]: ours, the reference measured in the same run, their ratio, the unit.

mod evidence;
mod figure;
mod memory;
mod processes;
mod rounds;
mod sqlite;

use std::process::ExitCode;

use figure::Figure;

fn main() -> ExitCode {
    let arguments = match Arguments::parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(message) => {
            eprintln!("{message}");
            return ExitCode::from(2);
        }
    };
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}
