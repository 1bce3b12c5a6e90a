//! What stands behind the groups of an account: the unit, container, pod or job of each, beside its path.

use super::oom::Oom;
use super::scene::Scene;
use crate::map::Map;
use crate::memcg::workload::{workload, Workload, WorkloadKind};

impl Oom {
    /// The same with the workloads of whose limit was hit, of the victims and of the holders.
    pub(crate) fn with_workloads(mut self, scene: &dyn Scene) -> Oom {
        let mut known: Map<String, Option<Workload>> = Map::default();
        let mut of = |group: &Option<String>| {
            let group = group.as_ref()?;
            if let Some(known) = known.get(group) {
                return known.clone();
            }
            let found = behind(group, scene);
            known.insert(group.clone(), found.clone());
            found
        };
        self.limit_workload = of(&self.limit_group);
        for victim in &mut self.victims {
            victim.workload = of(&victim.group);
        }
        for holder in &mut self.holders {
            holder.workload = of(&holder.group);
        }
        self
    }

    /// The group whose limit was hit as a person knows it: in words, where its path tells.
    pub(crate) fn limit_words(&self) -> Option<&str> {
        self.limit_workload.as_ref().map(|workload| workload.words.as_str())
    }
}

/// A group of a lab is nobody's but the reader's own.
fn behind(group: &str, scene: &dyn Scene) -> Option<Workload> {
    let found = workload(group.as_bytes()).filter(|found| found.kind != WorkloadKind::Lab)?;
    match found.may_be_named().then(|| scene.named(group)).flatten() {
        Some(named) => Some(found.with_names(named)),
        None => Some(found),
    }
}
