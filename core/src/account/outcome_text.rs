//! How a worker ended, the way a person reads it.

use std::fmt::Write;

use super::outcome::{Outcome, Verdict};
use crate::observe::author::signal_name;
use crate::observe::Author;
use crate::text::escape;

impl Outcome {
    /// The outcome in one sentence: who, how it ended, and in whose OOM.
    pub fn headline(&self) -> String {
        let who = format!("{} (pid {})", escape(&self.name), self.pid);
        match self.verdict {
            Verdict::OomKilled => match self.oom().and_then(|oom| oom.limit_group.as_deref()) {
                Some(group) => format!("{who} was killed in an OOM of {group}"),
                None => format!("{who} was killed in an OOM"),
            },
            Verdict::Killed => {
                let signal = signal_name(-self.returncode);
                match &self.killed_by {
                    Some(by) if by.by != Author::Unknown => {
                        format!("{who} was killed by {signal}, sent by {}; it was not an OOM", by.to_text())
                    }
                    _ => format!("{who} was killed by {signal}; it was not an OOM"),
                }
            }
            Verdict::Exited => format!("{who} exited with status {}", self.returncode),
            Verdict::Timeout => format!("{who} was still running at its timeout, and memoom killed it"),
        }
    }

    /// The outcome as text for a person: the sentence, what each source says, what is missing, and the accounts of the
    /// OOMs while it lived.
    pub fn to_text(&self) -> String {
        let mut text = self.headline();
        text.push('\n');
        if let Some(killed_by) = &self.killed_by {
            let _ = writeln!(text, "  killed by   {}", killed_by.to_text());
        }
        for evidence in &self.evidence {
            let _ = writeln!(text, "  evidence    {}: {}", evidence.source, evidence.says);
        }
        for missing in &self.missing {
            let _ = writeln!(text, "  missing     {}: {}", missing.source, missing.reason);
        }
        for oom in &self.ooms {
            text.push_str(&oom.to_text());
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::outcome::Evidence;
    use crate::observe::missing::Missing;

    fn outcome(verdict: Verdict, returncode: i32) -> Outcome {
        Outcome {
            schema: Outcome::SCHEMA,
            verdict,
            oom_killed: verdict == Verdict::OomKilled,
            returncode,
            pid: 7,
            ooms: Vec::new(),
            name: b"a\nb".to_vec(),
            group: "/g".to_string(),
            evidence: vec![Evidence { source: "exit-status", says: "it says".to_string() }],
            user_usec: 0,
            system_usec: 0,
            max_rss_bytes: 0,
            started_ns: 0,
            ended_ns: 0,
            killed_by: None,
            missing: vec![Missing::new("tracefs", "closed")],
        }
    }

    #[test]
    fn each_verdict_has_its_sentence() {
        for (verdict, returncode, says) in [
            (Verdict::OomKilled, -9, "a\\x0ab (pid 7) was killed in an OOM"),
            (Verdict::Killed, -15, "a\\x0ab (pid 7) was killed by SIGTERM; it was not an OOM"),
            (Verdict::Killed, -40, "a\\x0ab (pid 7) was killed by signal 40; it was not an OOM"),
            (Verdict::Exited, 3, "a\\x0ab (pid 7) exited with status 3"),
            (Verdict::Timeout, -9, "a\\x0ab (pid 7) was still running at its timeout, and memoom killed it"),
        ] {
            assert_eq!(outcome(verdict, returncode).headline(), says);
        }
        assert_eq!(
            outcome(Verdict::Exited, 0).to_text(),
            "a\\x0ab (pid 7) exited with status 0\n  evidence    exit-status: it says\n  missing     tracefs: closed\n"
        );
    }
}
