//! Holds the accounts and outcomes of one scenario against the truth.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use memoom::{Cause, Oom, Verdict};

use super::plan::{Plan, Trigger};
use super::stage::{Played, Player};
use crate::common::LONG;

/// What all scenarios came to.
#[derive(Default)]
pub struct Tally {
    scenarios: u32,
    accounts: u32,
    kills: u32,
    group_kills: u32,
    blocked: u32,
    /// Scenarios in which the reckoning says who must be chosen.
    determined: u32,
    /// Of these, those in which memoom said so beforehand and said it right.
    foretold: u32,
    /// Predictions that hold by memoom's own word, and how many of these held.
    sure: u32,
    /// Predictions that memoom itself called too close, and how many of these were right all the same.
    ties: u32,
    ties_right: u32,
    full_reports: u32,
    disagreements: u32,
    gaps: BTreeMap<String, u32>,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} accounts ({} kills, {} of whole groups, {} blocked); predicted = actual in {} of {} sure predictions; \
             of {} scenarios whose victim was determined by an independent reckoning it was foretold in {}; {} ties, \
             {} of them right; {} full reports; {} disagreements explained; gaps named: {:?}; {} scenarios judged right",
            self.accounts,
            self.kills,
            self.group_kills,
            self.blocked,
            self.sure,
            self.sure,
            self.determined,
            self.foretold,
            self.ties,
            self.ties_right,
            self.full_reports,
            self.disagreements,
            self.gaps,
            self.scenarios,
        )
    }
}

/// Panics with the reason where something is not as it was.
pub fn judge(plan: &Plan, played: &mut Played, tally: &mut Tally) {
    judge_ends(plan, played);
    // A child of a command that was killed is nobody's worker: its account is waited for.
    let mut ooms: Vec<Arc<Oom>> = Vec::new();
    let missing_victims = |ooms: &[Arc<Oom>]| played.dead.iter().any(|pid| !ooms.iter().any(|oom| oom.killed(*pid)));
    loop {
        let wait = if missing_victims(&ooms) { LONG / 4 } else { Duration::ZERO };
        match played.watch.wait_oom(wait).unwrap() {
            Some(oom) => ooms.push(oom),
            None => break,
        }
    }
    let told = || ooms.iter().map(|oom| oom.to_text()).collect::<Vec<_>>().join("\n");
    let mut victims: Vec<i32> = ooms.iter().flat_map(|oom| &oom.victims).map(|victim| victim.pid).collect();
    victims.sort_unstable();
    let mut dead = played.dead.clone();
    // Where the same process was killed by hand too, the kernel's files say by their count whether it was chosen.
    dead.extend(played.by_hand.iter().filter(|pid| victims.contains(pid)));
    dead.sort_unstable();
    assert_eq!(
        victims,
        dead,
        "victims of the accounts, and who died\n{}\n{:#?}",
        told(),
        played.groups.iter().map(|group| (group.cgroup(), group.counters())).collect::<Vec<_>>()
    );
    let (blocked, killed): (Vec<&Arc<Oom>>, Vec<&Arc<Oom>>) = ooms.iter().partition(|oom| !oom.blocked.is_empty());
    assert_eq!(blocked.len(), usize::from(played.blocked), "{}", told());
    let as_group = killed.iter().filter(|oom| oom.victims.iter().any(|victim| victim.cause == Cause::Group)).count();
    // With the flag the chosen one is counted twice, also where it was alone.
    if as_group == 0 && !plan.nodes.iter().any(|node| node.oom_group) {
        assert_eq!(played.kills, victims.len() as u64, "oom_kill and the victims\n{}", told());
    }
    for oom in &ooms {
        judge_account(plan, played, oom, &told);
        tally.disagreements += oom.disagreements.len() as u32;
        for gap in &oom.missing {
            *tally.gaps.entry(gap.source.to_string()).or_default() += 1;
        }
        tally.full_reports += u32::from(oom.report.as_ref().is_some_and(|report| report.invoker.is_some()));
    }
    judge_predictions(plan, played, &killed, tally, &told);
    tally.scenarios += 1;
    tally.accounts += ooms.len() as u32;
    tally.kills += victims.len() as u32;
    tally.group_kills += as_group as u32;
    tally.blocked += blocked.len() as u32;
}

/// The end of a worker is known with its evidence: whoever waits for it sees the account.
fn judge_ends(plan: &Plan, played: &Played) {
    for player in &played.players {
        let worker = player.worker();
        if played.dead.contains(&worker.pid()) {
            let outcome = worker.wait(LONG).unwrap();
            assert_eq!((outcome.verdict, outcome.returncode), (Verdict::OomKilled, -9), "{outcome:#?}");
            assert!(outcome.oom().is_some_and(|oom| oom.killed(worker.pid())), "{outcome:#?}");
        } else if played.by_hand.contains(&worker.pid()) {
            let outcome = worker.wait(LONG).unwrap();
            assert_eq!(outcome.returncode, -9);
            // Whoever is killed by hand while an OOM goes on may have been its victim first.
            let ooms: Vec<_> = outcome.ooms.iter().filter(|oom| oom.killed(worker.pid())).collect();
            assert_eq!(outcome.oom_killed, !ooms.is_empty());
            assert!(
                plan.by_hand == super::plan::ByHand::During || !outcome.oom_killed,
                "killed by hand, taken for an OOM kill: {outcome:#?}"
            );
        } else {
            assert!(!worker.ended(), "{} ended and nobody killed it", worker.name());
        }
    }
}

/// A sure prediction is right, and so is what the kernel's files foretold.
fn judge_predictions(plan: &Plan, played: &Played, killed: &[&Arc<Oom>], tally: &mut Tally, told: &dyn Fn() -> String) {
    let killed: Vec<&Arc<Oom>> = killed.iter().copied().filter(|oom| !oom.victims.is_empty()).collect();
    for oom in &killed {
        let (Some(predicted), Some(right)) = (&oom.predicted, oom.predicted_right()) else { continue };
        if predicted.determined {
            assert!(right, "a sure prediction was wrong\n{}", oom.to_text());
            tally.sure += 1;
        } else {
            tally.ties += 1;
            tally.ties_right += u32::from(right);
        }
    }
    if let (Some(choice), Some(first)) = (played.choice, killed.first()) {
        // The reckoning gives all the room to the one that grows; somebody else may have asked for the last of it.
        let grew = played.players[plan.grower].grows();
        let as_reckoned =
            plan.trigger != Trigger::Grow || first.invoker.as_ref().is_some_and(|invoker| invoker.pid == grew);
        let sure = choice.margin > played.slack && choice.positive && as_reckoned;
        if sure && plan.by_hand != super::plan::ByHand::During {
            tally.determined += 1;
            let victim = first.victim().unwrap();
            assert_eq!(victim.pid, choice.pid, "{choice:?} with a slack of {}\n{}", played.slack, told());
            tally.foretold += u32::from(first.predicted.as_ref().is_some_and(|one| one.pid == choice.pid));
        }
    }
}

/// What must be right, or else named as missing, in every account.
fn judge_account(plan: &Plan, played: &Played, oom: &Oom, told: &dyn Fn() -> String) {
    let text = || format!("{}\nall of them:\n{}", oom.to_text(), told());
    let named = |source: &str| oom.missing.iter().any(|missing| missing.source == source);
    let struck = &played.groups[plan.struck];
    assert_eq!(oom.limit_group.as_deref(), Some(struck.cgroup()), "{}", text());
    assert_eq!(oom.limit_bytes, Some(played.limit), "{}", text());
    for victim in &oom.victims {
        let at = played.players.iter().position(|player| {
            player.worker().pid() == victim.pid
                || matches!(player, Player::Actor { other: Some(child), .. } if *child == victim.pid)
        });
        let at = at.unwrap_or_else(|| panic!("pid {} is not ours\n{}", victim.pid, text()));
        match victim.group.as_deref() {
            Some(group) => assert_eq!(group, played.groups[plan.members[at].group].cgroup(), "{}", text()),
            None => assert!(named("victim"), "{}", text()),
        }
        assert!(!victim.comm.is_empty() || named("victim"), "{}", text());
        assert!(!victim.sources.is_empty());
    }
    let nobody = oom.report.as_ref().is_some_and(|report| report.no_killable);
    if nobody {
        assert!(oom.victims.is_empty(), "{}", text());
    } else if oom.blocked.is_empty() {
        assert_eq!(oom.victims.iter().filter(|one| one.cause == Cause::Selected).count(), 1, "{}", text());
        assert!(oom.report.as_ref().is_some_and(|report| report.invoker.is_some()) || named("report"), "{}", text());
        assert!(oom.predicted.is_some() || named("prediction"), "{}", text());
    } else {
        let blocked = &oom.blocked[0];
        assert_eq!(blocked.pid, played.players[plan.grower].worker().pid(), "{}", text());
        assert!(blocked.state == 'D' && oom.victims.is_empty(), "{}", text());
    }
    match &oom.invoker {
        Some(invoker) => assert!(invoker.pid > 0, "{}", text()),
        None => assert!(named("invoker"), "{}", text()),
    }
    assert!(!oom.call_path.is_empty() || named("call-path"), "{}", text());
    // Where sources disagree, it is known why.
    assert!(oom.disagreements.iter().all(|one| one.because.is_some()), "{}", text());
    // Everybody had ended long before: nothing was waited for in vain.
    assert!(!named("exit"), "{}\n{:?}", text(), oom.timings_ns);
    if !oom.call_path.is_empty() {
        let last = if oom.blocked.is_empty() { memoom::observe::Step::Kill } else { memoom::observe::Step::Wait };
        assert!(oom.call_path.iter().any(|frame| frame.step() == Some(last)), "{}", text());
    }
    // Every process of the scope is in the table, or it is said why there is none.
    if oom.candidates.is_empty() {
        assert!(named("prediction"), "{}", text());
    }
    if oom.predicted.as_ref().is_some_and(|one| one.source == "procfs") && plan.trigger == Trigger::Grow {
        for pid in played.scope.iter().filter(|pid| !played.by_hand.contains(pid)) {
            assert!(oom.candidates.iter().any(|one| one.pid == *pid), "{pid} is not in the table\n{}", text());
        }
    }
}
