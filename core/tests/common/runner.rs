//! The `main` of a test program without the usual harness: checks by name, one after the other.

use std::panic::{catch_unwind, AssertUnwindSafe};

/// Runs the checks whose names hold an argument of the program (all without one) and that of no `--skip=`, and says how
/// each ended.
pub fn run(checks: &[(&str, fn())]) {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let skipped: Vec<String> =
        std::env::args().filter_map(|argument| argument.strip_prefix("--skip=").map(str::to_string)).collect();
    let mut failed = Vec::new();
    let mut passed = 0;
    for (name, check) in checks {
        if !wanted.is_empty() && !wanted.iter().any(|part| name.contains(part.as_str())) {
            continue;
        }
        if skipped.iter().any(|part| name.contains(part.as_str())) {
            println!("test {name} ... skipped, as asked");
            continue;
        }
        println!("test {name} ...");
        // What a failed check leaves half done is its own lab, which goes with it.
        match catch_unwind(AssertUnwindSafe(check)) {
            Ok(()) => {
                passed += 1;
                println!("test {name} ... ok");
            }
            Err(_) => {
                failed.push(*name);
                println!("test {name} ... FAILED");
            }
        }
    }
    println!("{passed} passed; {} failed {}", failed.len(), failed.join(" "));
    if !failed.is_empty() {
        std::process::exit(1);
    }
}
