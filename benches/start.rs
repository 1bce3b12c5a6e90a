//! How long it takes until a worker is ready in its group, through the public interface.
//!
//! `start [MIB]` makes MIB of memory resident first, as a large host would have it; prints medians in microseconds,
//! back to back and after 50 ms of idleness.
#![allow(clippy::print_stdout)] // it is a program

use std::time::{Duration, Instant};

use memoom::{HogOptions, Lab, Limits, Result};

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() -> Result<()> {
    let mib: usize = std::env::args().nth(1).and_then(|mib| mib.parse().ok()).unwrap_or(0);
    let resident = vec![1u8; mib << 20];
    let lab = Lab::new()?;
    let group = lab.group(Some("start"), &Limits::bytes(64 << 20))?;
    let once = || -> Result<f64> {
        let began = Instant::now();
        let hog = group.hog(&HogOptions::named("start"))?;
        let took = began.elapsed().as_secs_f64() * 1e6;
        hog.kill()?;
        hog.wait(Duration::from_secs(10))?;
        Ok(took)
    };
    for _ in 0..20 {
        once()?;
    }
    let back_to_back = (0..300).map(|_| once()).collect::<Result<Vec<_>>>()?;
    let mut after_idleness = Vec::new();
    for _ in 0..60 {
        // Idleness itself is what is measured here.
        std::thread::sleep(Duration::from_millis(50));
        after_idleness.push(once()?);
    }
    println!("{:.1} {:.1} {}", median(back_to_back), median(after_idleness), resident.len() >> 20);
    lab.close()
}
