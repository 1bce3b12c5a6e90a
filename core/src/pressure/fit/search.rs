//! Which limit to try next: a search between what failed and what passed, led by what the runs told. No I/O, no clock.

/// The least limit that is taken to be worth a try: no program was seen to start under less.
const FLOOR: u64 = 64 << 10;

/// Where the search stands.
#[derive(Debug)]
pub(super) struct Search {
    page: u64,
    /// By how many thousandths the answer may lie above what fails.
    within: u64,
    /// The largest limit that is known, or taken, to fail.
    fails: u64,
    /// The least limit that passed.
    passes: u64,
    /// What a run that passed says is worth a try, as long as it was not tried.
    led: Option<u64>,
    /// How often runs behind the first may still lead.
    leads: u32,
    /// How often the search went up from a limit below what was used, which failed.
    climbs: u32,
}

/// So often the search goes up from what a run used before it looks in the middle instead.
const CLIMBS: u32 = 2;

/// So often what a run used below its limit is tried: of a program that always leaves some of it free nothing is learnt.
const LEADS: u32 = 1;

impl Search {
    /// After a first run that passed under `passes` and used so much.
    pub(super) fn new(passes: u64, used: Option<u64>, within: u64, page: u64) -> Search {
        // A little below: if that fails, what was used is likely to be the answer.
        let led = used.map(|used| used.saturating_mul(1000) / (1000 + within));
        Search { page, within, fails: FLOOR.min(passes / 2), passes, led, leads: LEADS, climbs: CLIMBS + 1 }
    }

    /// The next limit to try; `None` when what passes is close enough to what fails.
    pub(super) fn next(&mut self) -> Option<u64> {
        if self.is_close() {
            return None;
        }
        if let Some(led) = self.led.take().map(|led| self.rounded(led)).filter(|led| self.is_between(*led)) {
            if self.leads == LEADS {
                self.climbs = 0;
            }
            return Some(led);
        }
        if (1..=CLIMBS).contains(&self.climbs) && self.fails > FLOOR {
            let step = self.fails.saturating_mul(self.within).div_ceil(1000) << (self.climbs - 1);
            let above = self.rounded(self.fails.saturating_add(step));
            if self.is_between(above) {
                return Some(above);
            }
        }
        // The middle of a ratio: a percent is as much worth at each end.
        let middle = self.rounded((self.fails as f64 * self.passes as f64).sqrt() as u64);
        let middle = middle.clamp(self.fails + 1, self.passes.saturating_sub(self.page));
        self.is_between(middle).then_some(middle)
    }

    /// What a run under a limit came to, and the most that it used.
    pub(super) fn told(&mut self, limit: u64, passed: bool, used: Option<u64>) {
        if passed {
            self.passes = self.passes.min(limit);
            self.climbs = CLIMBS + 1;
            // Nearer than the middle, and it is known to do.
            if let Some(used) = used.filter(|used| self.leads > 0 && self.rounded(*used) < limit) {
                self.led = Some(used);
                self.leads -= 1;
            }
        } else {
            self.fails = self.fails.max(limit);
            self.climbs += 1;
        }
    }

    fn is_close(&self) -> bool {
        self.passes.saturating_sub(self.fails)
            <= (self.passes.saturating_mul(self.within) / (1000 + self.within)).max(self.page)
    }

    fn is_between(&self, limit: u64) -> bool {
        self.fails < limit && limit < self.passes
    }

    fn rounded(&self, bytes: u64) -> u64 {
        bytes.div_ceil(self.page) * self.page
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    /// The answer for a program that needs so much, and how many runs it took (the first among them).
    fn searched(need: u64, most: u64, used: Option<u64>) -> (u64, u32) {
        let mut search = Search::new(most, used, 20, 4096);
        let mut runs = 1;
        while let Some(limit) = search.next() {
            runs += 1;
            search.told(limit, limit >= need, used.map(|used| used.min(limit)));
        }
        (search.passes, runs)
    }

    #[test]
    fn a_program_whose_memory_is_all_needed_takes_three_runs_or_four() {
        for need in [MIB, 10 * MIB, 123 * MIB + 4096, 2048 * MIB] {
            let (answer, runs) = searched(need, 16384 * MIB, Some(need));
            assert!(answer >= need && answer <= need + need / 50 + 4096, "{answer} for {need}");
            assert!(runs <= 4, "{runs} runs for {need}");
        }
    }

    #[test]
    fn whatever_the_evidence_says_twelve_runs_are_enough_for_two_percent() {
        for need in (1..60).map(|at| (1u64 << 20) * 3 * at * at / 2) {
            for peak in [need, need + MIB, need * 3 / 2, need * 9, 8192 * MIB] {
                // What a run used can also be less than what the next one needs.
                for used in [peak, need - need / 30] {
                    let (answer, runs) = searched(need, 16384 * MIB, Some(used));
                    assert!(answer >= need && answer <= need + need / 50 + 4096, "{answer} for {need}");
                    assert!(runs <= 12, "{runs} runs for {need}, used {used}");
                }
            }
        }
    }

    /// What other CPUs have charged ahead can make a limit fail under which the next run passes, with room left.
    #[test]
    fn a_run_that_left_room_leads() {
        let need = 48 * MIB;
        let mut search = Search::new(256 * MIB, Some(need + 372 * 1024), 20, 4096);
        let below = search.next().expect("a try");
        assert!(below < need);
        search.told(below, false, Some(below));
        let unlucky = search.next().expect("a try");
        assert!(unlucky > need && unlucky < need + MIB / 2);
        search.told(unlucky, false, Some(unlucky));
        let above = search.next().expect("a try");
        search.told(above, true, Some(need + 568 * 1024));
        assert_eq!(search.next(), Some(need + 568 * 1024));
        search.told(need + 568 * 1024, true, Some(need + 400 * 1024));
        assert_eq!((search.next(), search.passes), (None, need + 568 * 1024));
    }

    #[test]
    fn a_program_that_lives_under_anything_ends_at_the_floor() {
        let (answer, runs) = searched(0, 1024 * MIB, None);
        assert!(answer <= FLOOR + 8192 && runs <= 12, "{answer} after {runs}");
    }
}
