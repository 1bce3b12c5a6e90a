//! Which of the two hierarchies a group stands in.

use serde::{Deserialize, Serialize};

/// The version of the hierarchy in which the memory controller stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Version {
    /// cgroup v1: `memory.limit_in_bytes`, `memory.oom_control`.
    V1,
    /// cgroup v2: `memory.max`, `memory.events`.
    V2,
}

impl Version {
    /// The name as it stands in documents.
    pub fn name(self) -> &'static str {
        match self {
            Version::V1 => "v1",
            Version::V2 => "v2",
        }
    }
}
