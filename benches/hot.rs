//! The paths of user space that are run most, for profilers and for counting instructions (valgrind).
//!
//! `hot parse FILE` reads the OOM reports of a log, `hot json FILE` makes their document too,
//! `hot replay FILE` makes accounts anew from a recording; `[TIMES]` after it repeats that. Prints the bytes read and,
//! for each time, the milliseconds of processor time.
#![allow(clippy::print_stdout)] // it is a program

use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [what, path, times @ ..] = words.as_slice() else {
        return Err("usage: hot parse|json|replay FILE [TIMES]".into());
    };
    let times: u32 = times.first().map_or(Ok(1), |times| times.parse())?;
    let log = std::fs::read(path)?;
    for _ in 0..times {
        let began = Instant::now();
        let found = match what.as_str() {
            "parse" => memoom::observe::parse_reports(&log).len(),
            "json" => memoom::observe::reports_to_json(&memoom::observe::parse_reports(&log)).len(),
            "replay" => memoom::replay(path)?.len(),
            _ => return Err("what?".into()),
        };
        println!("{what} {} bytes, {found} found, {:.3} ms", log.len(), began.elapsed().as_secs_f64() * 1e3);
    }
    Ok(())
}
