//! How a worker ended, the way a person reads it.

use std::fmt::Write;
use std::sync::Arc;

use super::at_limit::AtLimit;
use super::oom::Oom;
use super::oom_text::{shortened, wrapped, SHORT_LINES};
use super::outcome::{Outcome, Verdict};
use crate::memcg::limits::human_size;
use crate::observe::author::signal_name;
use crate::observe::missing::Missing;
use crate::observe::Author;
use crate::text::{escape, named};

impl Outcome {
    /// The outcome in one sentence: who, how it ended, and in whose OOM.
    pub fn headline(&self) -> String {
        let who = self.who();
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
            Verdict::Undecided => {
                let signal = signal_name(-self.returncode);
                let why = self.missing.iter().find(|one| one.source == "verdict");
                let why = why.map_or_else(String::new, |one| format!(": {}", one.reason));
                format!("{who} was killed by {signal}, and whether by an OOM is open{why}")
            }
            Verdict::Exited => format!("{who} exited with status {}", self.returncode),
            Verdict::Timeout => format!("{who} was still running at its timeout, and memoom killed it"),
            Verdict::Throttled => {
                format!("{who} was still running at its timeout, as memory.high held it, and memoom killed it")
            }
        }
    }

    /// Its name, and the one that it had when it was killed where an execution or the program itself had changed that: an
    /// account has that one.
    fn who(&self) -> String {
        let own = |oom: &Arc<Oom>| oom.victims.iter().find(|victim| victim.pid == self.pid).map(|v| v.comm.clone());
        match self.oom().and_then(own) {
            Some(comm) if !comm.is_empty() && comm != self.name => {
                format!("{}, called {} by then,", named(&self.name, self.pid), escape(&comm))
            }
            _ => named(&self.name, self.pid),
        }
    }

    /// The sentence, what is to be said of an OOM that it survived, and the summary of the account that explains its end.
    pub(super) fn summed_up(&self) -> String {
        let mut sentences = vec![format!("{}.", self.headline())];
        sentences.extend(self.findings.iter().map(|finding| finding.text.clone()));
        let inside = self.ooms.iter().find(|oom| !oom.victims.is_empty() && !oom.killed(self.pid));
        if let Some(handled) = self.handled() {
            sentences.push(handled);
        }
        if let Some(oom) = self.oom().or(inside) {
            sentences.push(oom.summary.clone());
        }
        sentences.join(" ")
    }

    /// That an OOM happened inside which it survived.
    fn handled(&self) -> Option<String> {
        let them = if self.ooms_inside == 1 { "it" } else { "them" };
        let after = match (self.ooms_inside, self.verdict, self.returncode) {
            (0, ..) => return None,
            (_, Verdict::Exited, 0) => format!("and the command handled {them}"),
            // A shell says so of its last command: that one was killed, not the shell.
            (_, Verdict::Exited, 137) => {
                format!(
                    "and the command ended with status 137 after {them} (128 + 9: it hands on that a child was killed)"
                )
            }
            (_, Verdict::Exited, status) => format!("and the command ended with status {status} after {them}"),
            _ => format!("and the command went on after {them}"),
        };
        Some(match self.ooms_inside {
            1 => format!("An OOM happened inside, {after}."),
            // What follows is of one of them.
            several if self.oom().is_none() => format!("{several} OOMs happened inside, {after}. The first of them:"),
            several => format!("{several} OOMs happened inside, {after}."),
        })
    }

    /// The whole outcome as text for a person: the sentence, what is to be said of the end, the accounts of the OOMs while
    /// it lived, what each source says, and what is missing.
    pub fn to_text(&self) -> String {
        let mut text = self.opening();
        text.push_str(&self.held());
        if let Some(killed_by) = &self.killed_by {
            let _ = writeln!(text, "  killed by   {}", killed_by.to_text());
        }
        if let Some(peak) = self.peak_bytes {
            let _ = writeln!(text, "  peak        {}", human_size(peak));
        }
        for evidence in &self.evidence {
            let _ = writeln!(text, "  evidence    {}: {}", evidence.source, evidence.says);
        }
        // What an account misses stands in the account.
        let of_accounts = |one: &Missing| self.ooms.iter().any(|oom| oom.missing.contains(one));
        for missing in self.missing.iter().filter(|one| !of_accounts(one)) {
            let _ = writeln!(text, "  missing     {}: {}", missing.source, missing.reason);
        }
        for oom in &self.ooms {
            text.push_str(&oom.to_text());
        }
        text
    }

    /// The outcome in 15 lines at most: the sentence, and the account of the OOM that explains it. What a hook at the limit
    /// saw and wrote comes after them.
    pub fn to_short_text(&self) -> String {
        let mut text = self.opening();
        if let Some(oom) = self.oom().or(self.ooms.first()) {
            text.push_str(&oom.to_short_text());
        }
        shortened(&text, SHORT_LINES) + &self.held()
    }

    /// Each time that everybody was held at the limit. What the hook wrote is what was asked for, so all of it stands there.
    fn held(&self) -> String {
        self.at_limit.iter().flatten().map(AtLimit::to_text).collect()
    }

    /// The sentence on a line of its own, and what else is to be said of the end.
    fn opening(&self) -> String {
        let mut text = self.headline();
        text.push('\n');
        let said: Vec<String> =
            self.findings.iter().map(|finding| finding.text.clone()).chain(self.handled()).collect();
        text.push_str(&wrapped(&said.join(" ")));
        if let Some(remedy) = self.findings.iter().find_map(|finding| finding.remedy.as_ref()) {
            let _ = writeln!(text, "  remedy      {remedy}");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::account::findings::tests::plain;
    use crate::account::oom::Oom;
    use crate::account::outcome::Evidence;

    fn outcome(verdict: Verdict, returncode: i32) -> Outcome {
        Outcome {
            schema: Outcome::SCHEMA,
            schema_revision: Outcome::REVISION,
            verdict,
            oom_killed: verdict == Verdict::OomKilled,
            returncode,
            pid: 7,
            ooms: Vec::new(),
            ooms_inside: 0,
            throttled: None,
            at_limit: None,
            name: b"a\nb".to_vec(),
            group: "/g".to_string(),
            evidence: vec![Evidence { source: "exit-status", says: "it says".to_string() }],
            user_usec: 0,
            system_usec: 0,
            max_rss_bytes: 0,
            peak_bytes: None,
            started_ns: 0,
            ended_ns: 0,
            killed_by: None,
            missing: vec![Missing::new("tracefs", "closed")],
            findings: Vec::new(),
            summary: String::new(),
        }
    }

    #[test]
    fn a_command_has_handled_an_oom_inside_where_it_succeeded_after_it() {
        for (verdict, status, says) in [
            (Verdict::Exited, 0, Some("An OOM happened inside, and the command handled it.")),
            (Verdict::Exited, 1, Some("An OOM happened inside, and the command ended with status 1 after it.")),
            (Verdict::Killed, -9, Some("An OOM happened inside, and the command went on after it.")),
        ] {
            let inside = Outcome { ooms_inside: 1, ..outcome(verdict, status) };
            assert_eq!(inside.handled().as_deref(), says);
        }
        let handed_on = Outcome { ooms_inside: 2, ..outcome(Verdict::Exited, 137) }.handled().unwrap();
        let says = "2 OOMs happened inside, and the command ended with status 137 after them (128 + 9: ";
        assert!(handed_on.starts_with(says), "{handed_on}");
        assert_eq!(outcome(Verdict::Exited, 1).handled(), None);
    }

    #[test]
    fn who_has_become_another_program_has_both_names() {
        let named = |name: &[u8]| {
            let ended =
                Outcome { ooms: vec![Arc::new(plain())], name: name.to_vec(), ..outcome(Verdict::OomKilled, -9) };
            ended.explained().headline()
        };
        assert_eq!(named(b"sh"), "sh (pid 7), called victim by then, was killed in an OOM of /lab/run");
        assert_eq!(named(b"victim"), "victim (pid 7) was killed in an OOM of /lab/run");
    }

    #[test]
    fn of_several_ooms_inside_the_first_is_told() {
        let others = |count: usize| {
            let ooms = std::iter::repeat_with(|| Arc::new(plain())).take(count).collect();
            Outcome { pid: 8, ooms, ..outcome(Verdict::Exited, 1) }
        };
        let says = |count| others(count).explained().summary;
        assert!(says(2)
            .contains("2 OOMs happened inside, and the command ended with status 1 after them. The first of them:"));
        assert!(!says(1).contains("The first"), "{}", says(1));
    }

    #[test]
    fn an_oom_whose_victim_nobody_knows_hit_another_where_the_command_ended_by_itself() {
        let nobody = |missing| Oom { victims: Vec::new(), missing, ..plain() };
        let unknown = Arc::new(nobody(vec![Missing::new("victim", "nothing tells whom it hit")]));
        for (verdict, status, oom, count) in [
            (Verdict::Exited, 0, &unknown, 1),
            (Verdict::Undecided, -9, &unknown, 0),
            (Verdict::Exited, 0, &Arc::new(nobody(Vec::new())), 0),
        ] {
            let ended = Outcome { ooms: vec![oom.clone()], ..outcome(verdict, status) }.explained();
            assert_eq!(ended.ooms_inside, count, "{verdict:?}");
            assert_eq!(ended.summary.contains("An OOM happened inside, and the command handled it."), count == 1);
        }
    }

    #[test]
    fn each_verdict_has_its_sentence() {
        for (verdict, returncode, says) in [
            (Verdict::OomKilled, -9, "a\\x0ab (pid 7) was killed in an OOM"),
            (Verdict::Killed, -15, "a\\x0ab (pid 7) was killed by SIGTERM; it was not an OOM"),
            (Verdict::Killed, -40, "a\\x0ab (pid 7) was killed by signal 40; it was not an OOM"),
            (Verdict::Undecided, -9, "a\\x0ab (pid 7) was killed by SIGKILL, and whether by an OOM is open"),
            (Verdict::Exited, 3, "a\\x0ab (pid 7) exited with status 3"),
            (Verdict::Timeout, -9, "a\\x0ab (pid 7) was still running at its timeout, and memoom killed it"),
        ] {
            assert_eq!(outcome(verdict, returncode).headline(), says);
        }
        assert_eq!(
            outcome(Verdict::Exited, 0).to_text(),
            "a\\x0ab (pid 7) exited with status 0\n  evidence    exit-status: it says\n  missing     tracefs: closed\n"
        );
        let account = Arc::new(Oom { missing: vec![Missing::new("tracefs", "closed")], ..plain() });
        let both = Outcome { ooms: vec![account], ..outcome(Verdict::OomKilled, -9) };
        assert_eq!(both.to_text().matches("tracefs: closed").count(), 1, "what an account misses is told once");
        let run = Outcome { peak_bytes: Some(24 << 20), ..outcome(Verdict::Exited, 0) };
        assert!(run.to_text().contains("\n  peak        24M\n"), "{}", run.to_text());
    }
}
