//! The names that people gave: what a container and its pod are called, which the path of a group does not tell.

use serde::{Deserialize, Serialize};

use super::{Workload, WorkloadKind};

/// What the state of a container runtime or of the kubelet calls the workload behind a group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Named {
    /// The container's name.
    pub(crate) name: Option<String>,
    /// The name of its pod.
    pub(crate) pod: Option<String>,
    /// The namespace of its pod.
    pub(crate) namespace: Option<String>,
}

impl Workload {
    /// The same with those names, in its words too.
    pub(crate) fn with_names(mut self, named: Named) -> Workload {
        if self.name.is_none() && self.kind == WorkloadKind::Container {
            self.name = named.name;
        }
        (self.pod_name, self.namespace) = (named.pod, named.namespace);
        self.told()
    }

    /// Whether somebody may have given it a name that its path does not have.
    pub(crate) fn may_be_named(&self) -> bool {
        self.pod_uid.is_some() || self.kind == WorkloadKind::Container && self.name.is_none()
    }
}
