//! How long it takes until a worker is ready in its group, through the public interface.
//!
//! `start [MIB]` makes MIB of memory resident first, as a large host would have it; prints medians in microseconds:
//! back to back, after 50 ms of idleness, and of the later ones of four at once. Back to back means that each worker is
//! waited for before the next is started; on cgroup v1 that leaves the time to make one in advance, four at once do not.
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
    let mut at_once = Vec::new();
    for _ in 0..30 {
        let mut hogs = Vec::new();
        for number in 0..4 {
            let began = Instant::now();
            hogs.push(group.hog(&HogOptions::named("start"))?);
            if number > 0 {
                at_once.push(began.elapsed().as_secs_f64() * 1e6);
            }
        }
        for hog in hogs {
            hog.kill()?;
            hog.wait(Duration::from_secs(10))?;
        }
    }
    let medians = [back_to_back, after_idleness, at_once].map(median);
    println!("{:.1} {:.1} {:.1} {}", medians[0], medians[1], medians[2], resident.len() >> 20);
    lab.close()
}
