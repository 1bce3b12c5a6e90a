//! Which runs were slowed down, and what the kernel's counters show for why. No I/O, no clock.

use std::time::Duration;

use super::FitRun;
use crate::account::outcome::Verdict;

/// What a run may take beyond a share of the first one's time: starting a process is no less noisy.
const NOISE: Duration = Duration::from_millis(10);
/// So many pages are read at once; fewer of them explain no wait.
const FEW_PAGES: u64 = 32;

/// Whether a run took longer than the first one and so many thousandths of that.
pub(super) fn is_slowed(run: &FitRun, first: &FitRun, slower_permille: u32) -> bool {
    let share = first.elapsed().mul_f64(f64::from(slower_permille) / 1000.0);
    run.elapsed() > first.elapsed() + share + NOISE
}

/// Writes into each run whether it was slowed, and of what it had more than the first one.
pub(super) fn tell(runs: &mut [FitRun], slower_permille: u32) {
    let Some((first, others)) = runs.split_first_mut() else { return };
    for run in others {
        let ended_late = matches!(run.verdict, Verdict::Timeout | Verdict::Throttled);
        run.slowed = ended_late || (run.passed && is_slowed(run, first, slower_permille));
        if run.slowed {
            run.slowed_by = causes(run, first);
        }
    }
}

fn causes(run: &FitRun, first: &FitRun) -> Vec<&'static str> {
    let more = |of: fn(&FitRun) -> Option<u64>| of(run).unwrap_or(0).saturating_sub(of(first).unwrap_or(0));
    let named = [
        ("refaults", more(|run| run.refaults) >= FEW_PAGES),
        ("swap", more(|run| run.refaults_anon) >= FEW_PAGES),
        ("throttling", more(|run| run.high_events) > 0),
    ];
    named.into_iter().filter(|(_, is_one)| *is_one).map(|(name, _)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(elapsed_ms: u64) -> FitRun {
        FitRun {
            limit_bytes: 1 << 20,
            passed: true,
            verdict: Verdict::Exited,
            returncode: 0,
            check_returncode: None,
            ooms: 0,
            elapsed_ns: elapsed_ms * 1_000_000,
            peak_bytes: None,
            stalled_usec: None,
            refaults: Some(3),
            refaults_anon: None,
            high_events: Some(0),
            slowed: false,
            slowed_by: Vec::new(),
        }
    }

    #[test]
    fn what_slows_a_run_is_what_it_has_more_of_than_the_first() {
        let mut runs = [
            run(1000),
            FitRun { refaults: Some(9000), ..run(1105) },
            FitRun { refaults: Some(9000), ..run(1120) },
            FitRun { high_events: Some(7), refaults_anon: Some(900), ..run(3000) },
            run(3000),
            FitRun { verdict: Verdict::Timeout, passed: false, refaults: Some(9000), ..run(20_000) },
            FitRun { verdict: Verdict::OomKilled, passed: false, refaults: Some(9000), ..run(20_000) },
        ];
        tell(&mut runs, 100);
        let told: Vec<_> = runs.iter().map(|run| (run.slowed, run.slowed_by.join("+"))).collect();
        let is = |slowed, by: &str| (slowed, by.to_string());
        assert_eq!(
            told,
            [
                is(false, ""),
                is(false, ""), // less than a tenth, and the noise of a start
                is(true, "refaults"),
                is(true, "swap+throttling"),
                is(true, ""), // nothing that is counted shows why
                is(true, "refaults"),
                is(false, ""), // it has failed for another reason
            ]
        );
    }
}
