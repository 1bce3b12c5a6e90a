//! The answer as people set it: for cgroups, systemd, Kubernetes, Slurm and Nextflow.

use serde::Serialize;

const MIB: u64 = 1 << 20;

/// What to write where, made of the two limits that a fit has found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct FitSettings {
    /// `memory.max` of cgroup v2, `memory.limit_in_bytes` of v1, in bytes: the least limit from which it is not slowed, or
    /// where that is not known the least under which it passes.
    pub memory_max_bytes: u64,
    /// `MemoryMax=` of systemd: the same, in whole MiB.
    pub systemd: String,
    /// `resources.requests.memory` of Kubernetes: the least limit under which it passes.
    pub kubernetes_request: String,
    /// `resources.limits.memory` of Kubernetes: as `memory_max_bytes`.
    pub kubernetes_limit: String,
    /// `--mem=` of Slurm.
    pub slurm: String,
    /// `memory` of a Nextflow process that is retried when it was OOM-killed, each time with so much more.
    pub nextflow: String,
}

impl FitSettings {
    /// Of the least limit that passes, and the least from which it is not slowed; both rounded up.
    pub(super) fn of(passes: u64, unslowed: Option<u64>) -> FitSettings {
        let memory_max_bytes = unslowed.unwrap_or(passes).max(passes);
        let (least, most) = (passes.div_ceil(MIB), memory_max_bytes.div_ceil(MIB));
        let systemd = format!("{most}M");
        FitSettings {
            memory_max_bytes,
            slurm: systemd.clone(),
            kubernetes_limit: systemd.clone() + "i",
            systemd,
            kubernetes_request: format!("{least}Mi"),
            nextflow: format!("{{ {most}.MB * task.attempt }}"),
        }
    }

    /// The lines in which a person copies them.
    pub(super) fn to_text(&self) -> String {
        let FitSettings { memory_max_bytes, systemd, kubernetes_request, kubernetes_limit, slurm, nextflow } = self;
        format!(
            "As settings, rounded up:\n  \
             cgroup      memory.max {memory_max_bytes}\n  \
             systemd     MemoryMax={systemd}\n  \
             Kubernetes  requests.memory: {kubernetes_request}, limits.memory: {kubernetes_limit}\n  \
             Slurm       --mem={slurm}\n  \
             Nextflow    memory = {nextflow}; errorStrategy = {{ task.exitStatus == 137 ? 'retry' : 'terminate' }}\n"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_what_it_must_have_and_a_limit_what_it_makes_use_of() {
        let found = FitSettings::of(4 * MIB, Some(61 * MIB + 1));
        assert_eq!((found.kubernetes_request.as_str(), found.kubernetes_limit.as_str()), ("4Mi", "62Mi"));
        assert_eq!((found.memory_max_bytes, found.systemd.as_str()), (61 * MIB + 1, "62M"));
        assert_eq!(found.nextflow, "{ 62.MB * task.attempt }");
        assert!(found.to_text().contains("\n  Slurm       --mem=62M\n"), "{}", found.to_text());
        let alone = FitSettings::of(5 * MIB, None);
        assert_eq!((alone.kubernetes_request.as_str(), alone.kubernetes_limit.as_str()), ("5Mi", "5Mi"));
    }
}
