//! What a report or an account means: the answers to "why", each with its evidence.

use std::borrow::Cow;
use std::fmt::Display;

use serde::Serialize;

/// One answer to the question why memory ran out, and what can be done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// Its name, for programs: `shared-memory`, `kernel-memory`, `ancestor-limit`, ... A code never changes its meaning.
    pub code: &'static str,
    /// One or two plain sentences, each with its full stop. Every number in it is a field of the document.
    pub text: String,
    /// What it rests on: fields of the document with their values, `stat.shmem = 15728640`.
    pub evidence: Vec<String>,
    /// What can be done about it; `None` where nothing needs to be.
    pub remedy: Option<Cow<'static, str>>,
}

impl Finding {
    pub(crate) fn new(code: &'static str, text: impl Into<String>) -> Finding {
        Finding { code, text: text.into(), ..Finding::default() }
    }

    /// The same with one more piece of evidence: a field of the document, and its value.
    pub(crate) fn shown_by(mut self, field: impl Display, value: impl Display) -> Finding {
        self.evidence.push(format!("{field} = {value}"));
        self
    }

    /// The same with what can be done about it.
    pub(crate) fn remedied_by(mut self, remedy: impl Into<Cow<'static, str>>) -> Finding {
        self.remedy = Some(remedy.into());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_a_small_document() {
        let finding = Finding::new("no-swap", "There is no swap.")
            .shown_by("mem_info.swap_total_bytes", 0)
            .remedied_by("add swap");
        let json = r#"{"code":"no-swap","text":"There is no swap.","evidence":["mem_info.swap_total_bytes = 0"],"remedy":"add swap"}"#;
        assert_eq!(crate::text::json(&finding), json);
        assert_eq!(crate::text::json(&Finding::new("a", "b.")).split_once("\"remedy\":").unwrap().1, "null}");
    }
}
