//! What could not be had, and why.

use std::borrow::Cow;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

use crate::error::printable;

/// Evidence that could not be had, and why. Nothing is lost silently.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Missing {
    /// The source: `kernel-log`, `tracefs`, `counters`, `report`, ...
    pub source: &'static str,
    /// Why.
    pub reason: Cow<'static, str>,
}

impl Missing {
    pub(crate) fn new(source: &'static str, reason: impl Into<Cow<'static, str>>) -> Missing {
        Missing { source, reason: reason.into() }
    }
}

/// The sources that may be missing before an OOM, and those that lose something: what recordings hold.
const SOURCES: &[&str] = &[
    "alarm",
    "block",
    "call-path",
    "candidates",
    "composition",
    "counters",
    "exit",
    "groups-below",
    "holders",
    "kernel-log",
    "limit",
    "limit-group",
    "prediction",
    "recording",
    "removal",
    "report",
    "supervisor",
    "tracefs",
    "victim",
    "watch",
];

/// The name of a source. Not said as a reference, which serde would take for a borrow of the text that is read.
pub(crate) type SourceName = &'static str;

impl<'de> Deserialize<'de> for Missing {
    /// A source that this memoom does not know is told as part of the reason.
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Missing, D::Error> {
        #[derive(Deserialize)]
        struct Told {
            source: String,
            reason: String,
        }
        let Told { source, reason } = Told::deserialize(from)?;
        Ok(match known(&source) {
            Some(source) => Missing::new(source, reason),
            None => Missing::new("recording", format!("{source}: {reason}")),
        })
    }
}

fn known(text: &str) -> Option<SourceName> {
    SOURCES.iter().find(|source| **source == text).copied()
}

/// For `#[serde(deserialize_with)]`: the name of a source, which must be one of ours.
pub(crate) fn source<'de, D: Deserializer<'de>>(from: D) -> Result<SourceName, D::Error> {
    let text = String::deserialize(from)?;
    known(&text).ok_or_else(|| D::Error::custom(format_args!("no source: {}", printable(text.as_bytes(), 40))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_source_comes_back() {
        for source in SOURCES {
            let missing = Missing::new(source, "why");
            let text = crate::text::json(&missing);
            assert_eq!(serde_json::from_str::<Missing>(&text).unwrap(), missing);
        }
        let other = serde_json::from_str::<Missing>(r#"{"source":"nobody","reason":"why"}"#).unwrap();
        assert_eq!(other, Missing::new("recording", "nobody: why"));
        assert!(SOURCES.is_sorted());
    }
}
