//! A prediction the way a person reads it.

use std::fmt::Write;

use super::victim::{Candidate, Prediction};
use crate::text::{escape, named};

impl Candidate {
    /// One line: name, pid, score, `oom_score_adj`, and why it would not be taken.
    pub(crate) fn line(&self) -> String {
        let why = self.reason.as_deref().map_or(String::new(), |reason| format!("  not eligible: {reason}"));
        format!(
            "candidate {:<16} pid {:<8} score {:>8}  oom_score_adj {}{why}",
            escape(&self.comm),
            if self.pid == 0 { "unknown".to_string() } else { self.pid.to_string() },
            self.score,
            self.oom_score_adj
        )
    }
}

impl Prediction {
    /// The prediction as text for a person: who would be killed, by what margin, and every candidate.
    pub fn to_text(&self) -> String {
        let mut text = match (self.victim(), self.waits_for) {
            (Some(victim), _) => {
                let sure = match (self.determined, self.margin_pages) {
                    (true, None) => "nobody else could be".to_string(),
                    (true, Some(margin)) => format!("by {margin} pages"),
                    (false, margin) => format!(
                        "but the scores are too close to tell: {} pages apart, and {} may be misread",
                        margin.unwrap_or(0),
                        self.uncertainty_pages
                    ),
                };
                let who = named(&victim.comm, victim.pid);
                format!("{who} would be killed, with a score of {} pages; {sure}\n", victim.score)
            }
            (None, Some(pid)) => format!("nobody would be chosen before pid {pid} is gone, which an OOM has killed\n"),
            (None, None) => "nobody could be killed\n".to_string(),
        };
        for candidate in &self.candidates {
            let _ = writeln!(text, "  {}", candidate.line());
        }
        text
    }
}
