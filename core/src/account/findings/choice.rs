//! Why this one and no other: scores that were adjusted, or a policy that is not the kernel's own.

use super::{named, Facts};
use crate::account::victim::Candidate;
use crate::observe::finding::Finding;

/// Pages without what `oom_score_adj` adds.
fn plain(candidate: &Candidate) -> u64 {
    candidate.rss_pages + candidate.swap_pages + candidate.pgtable_pages
}

/// `score-adjusted`: with every `oom_score_adj` 0 the kernel would have taken another.
pub(super) fn score_adjusted(facts: &Facts) -> Option<Finding> {
    let candidates = &facts.oom.candidates;
    let adjusted = candidates.iter().any(|candidate| candidate.oom_score_adj != 0);
    let victim = facts.victim().filter(|_| adjusted)?;
    let at = candidates.iter().position(|candidate| candidate.pid == victim.pid)?;
    // What makes a process no candidate at all stays, but for the score.
    let may = |candidate: &&Candidate| candidate.eligible || candidate.oom_score_adj == -1000;
    let (other, most) = candidates.iter().enumerate().filter(|(_, one)| may(one)).max_by_key(|(_, one)| plain(one))?;
    if most.pid == victim.pid || plain(most) <= plain(&candidates[at]) {
        return None;
    }
    let text = format!(
        "With every oom_score_adj at 0 the kernel would have taken {}, which is larger: it has {}, and {} has {}.",
        named(&most.comm, most.pid),
        most.oom_score_adj,
        named(&victim.comm, victim.pid),
        candidates[at].oom_score_adj
    );
    Some(
        Finding::new("score-adjusted", text)
            .shown_by(format!("candidates[{at}].oom_score_adj"), candidates[at].oom_score_adj)
            .shown_by(format!("candidates[{other}].oom_score_adj"), most.oom_score_adj)
            .shown_by(format!("candidates[{at}].rss_pages"), candidates[at].rss_pages)
            .shown_by(format!("candidates[{other}].rss_pages"), most.rss_pages)
            .remedied_by("set oom_score_adj so that the one that may go first has the highest"),
    )
}

/// `bpf-policy`: a program decides, and no formula.
pub(super) fn bpf_policy(facts: &Facts) -> Option<Finding> {
    let frame = facts.oom.call_path.iter().find(|frame| crate::account::oom::is_bpf_policy(&frame.function))?;
    let text = format!(
        "A BPF policy chose ({} on the way to the kill), so the kernel's formula and every prediction by it are void.",
        frame.function
    );
    Some(
        Finding::new("bpf-policy", text)
            .shown_by("call_path[].function", &frame.function)
            .remedied_by("ask the policy that is attached (bpftool struct_ops) why it chose so"),
    )
}
