//! A pod as the kubelet lays it out: a group with a limit, the pause process, and a group for each container.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::ticker::TickerOptions;
use super::worker::Worker;
use crate::error::{Error, ErrorKind, Result};
use crate::lab::group::Group;
use crate::lab::host::memory_total_bytes;
use crate::lab::lab::Lab;
use crate::memcg::limits::Limits;
use crate::memcg::version::Version;
use crate::memcg::Limit;
use crate::sys;

mod container;
mod resize;
mod rules;

pub use container::{Container, ContainerOptions};
pub use rules::{ContainerKind, Qos};

/// What the pause process is called, and its group.
const PAUSE: &str = "pause";

/// It has nothing to say.
const PAUSE_TICKS: Duration = Duration::from_secs(24 * 60 * 60);

/// What a new pod may be told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PodOptions {
    /// The limit of the pod; without it, what its containers may take together, and none where one of them has none.
    pub limit: Option<Limit>,
    /// The memory of the node, of which a request is a share in `oom_score_adj`; without it, this machine's (`MemTotal`).
    pub node_bytes: Option<u64>,
    /// An OOM kill takes one process of a container, not all of them: the kubelet's `singleProcessOOMKill`. On cgroup v1
    /// it is always so.
    pub single_process_oom_kill: bool,
}

/// A pod as the kubelet lays it out. Clones are the same pod.
///
/// Its containers are made before the first of them is started, as they are one specification: from their requests and
/// limits follow the class of the pod, its limit and the `oom_score_adj` of each. It ends with its lab.
#[derive(Clone)]
pub struct Pod(pub(super) Arc<Inner>);

pub(super) struct Inner {
    group: Group,
    pause: Worker,
    options: PodOptions,
    node_bytes: u64,
    /// No score can be set below it.
    least_score: i16,
    containers: Mutex<Vec<Arc<container::Inner>>>,
}

impl Lab {
    /// Makes a pod at the lab's top: its group, and in a group below that the pause process, which takes no memory. Without
    /// a name it gets one of its own.
    ///
    /// # Errors
    /// As [`Lab::group`] and [`Group::ticker`]; `InvalidInput` where the memory of the node is 0, or is not given and cannot be
    /// read.
    pub fn pod(&self, name: Option<&str>, options: &PodOptions) -> Result<Pod> {
        let limits = limits_of(options.limit);
        Pod::settle(self.group(name, &limits)?, options)
    }

    /// As [`Lab::pod`], with a name that need not be UTF-8.
    ///
    /// # Errors
    /// As [`Lab::pod`].
    pub fn pod_named(&self, name: &[u8], options: &PodOptions) -> Result<Pod> {
        let limits = limits_of(options.limit);
        Pod::settle(self.group_named(name, &limits)?, options)
    }
}

/// The pod's own limit alone; swap is each container's, as the pod has none of its own to say.
fn limits_of(limit: Option<Limit>) -> Limits {
    Limits { limit, swap: None, ..Limits::default() }
}

impl Pod {
    /// What was made is removed again if the rest cannot be.
    fn settle(group: Group, options: &PodOptions) -> Result<Pod> {
        Pod::furnish(&group, options).inspect_err(|_| drop(group.remove()))
    }

    fn furnish(group: &Group, options: &PodOptions) -> Result<Pod> {
        let operation = "make pod";
        let node_bytes = options.node_bytes.or_else(memory_total_bytes).ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidInput,
                operation,
                "how much memory the node has cannot be read in /proc/meminfo",
            )
            .remedy("say how much it is to have (node_bytes)")
        })?;
        if node_bytes == 0 {
            return Err(Error::new(ErrorKind::InvalidInput, operation, "a node has more than 0 bytes of memory"));
        }
        let least_score = least_score(group)?;
        let below = group.child(PAUSE, &Limits { swap: None, ..Limits::default() })?;
        let pause = below.ticker_with(&TickerOptions {
            name: PAUSE.to_string(),
            every: PAUSE_TICKS,
            oom_score_adj: rules::PAUSE.max(least_score),
        });
        let pause = pause.inspect_err(|_| drop(below.remove()))?;
        let (options, containers) = (options.clone(), Mutex::default());
        Ok(Pod(Arc::new(Inner { group: group.clone(), pause, options, node_bytes, least_score, containers })))
    }

    /// Makes a container: a group below the pod's, with the limit, and on cgroup v2 with `memory.oom.group`. Nothing runs in
    /// it yet. The limit of the pod, where it was not told one, follows.
    ///
    /// # Errors
    /// As [`Group::child`]; `InvalidInput` for a request above the limit; `Busy` where a container of the pod was started.
    pub fn container(&self, name: impl AsRef<[u8]>, options: &ContainerOptions) -> Result<Container> {
        let operation = "make container";
        let spec = options.spec();
        spec.check(operation)?;
        let mut containers = self.containers();
        if containers.iter().any(|one| one.started()) {
            return Err(Error::new(ErrorKind::Busy, operation, "a container of the pod has been started")
                .path(self.0.group.path())
                .remedy("make all containers of a pod before the first of them is started"));
        }
        let group = self.0.group.child(name, &self.limits(options))?;
        let mut specs: Vec<_> = containers.iter().map(|one| one.spec()).collect();
        specs.push(spec);
        if let Err(error) = self.set_limit_of(&specs) {
            drop(group.remove());
            return Err(error);
        }
        let made = Arc::new(container::Inner::new(group, spec));
        containers.push(made.clone());
        Ok(Container { pod: self.clone(), inner: made })
    }

    /// The group of a container has what the kubelet gives it.
    fn limits(&self, options: &ContainerOptions) -> Limits {
        let oom_group = match (options.oom_group, self.0.group.version()) {
            (Some(told), _) => Some(told),
            (None, Version::V1) => None,
            (None, Version::V2) => Some(!self.0.options.single_process_oom_kill),
        };
        let limit = (options.limit != Limit::Max).then_some(options.limit);
        Limits { limit, swap: options.swap, oom_group, ..Limits::default() }
    }

    /// The pod's limit as it follows from those containers, where it was not told one.
    fn set_limit_of(&self, specs: &[rules::Spec]) -> Result<()> {
        let limit = rules::limit(specs);
        if self.0.options.limit.is_some() || self.0.group.limit()? == limit {
            return Ok(());
        }
        self.0.group.set_limit(limit)
    }

    fn containers(&self) -> MutexGuard<'_, Vec<Arc<container::Inner>>> {
        self.0.containers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn specs(&self) -> Vec<rules::Spec> {
        self.containers().iter().map(|one| one.spec()).collect()
    }

    /// Its group, which has the pod's limit, and the groups of its containers below it.
    pub fn group(&self) -> &Group {
        &self.0.group
    }

    /// The pause process, in a group of its own below the pod's. It has `oom_score_adj` -998, or this process's own where that
    /// may not be lowered.
    pub fn pause(&self) -> &Worker {
        &self.0.pause
    }

    /// Its class, by the containers that it has now.
    pub fn qos(&self) -> Qos {
        rules::qos(&self.specs())
    }

    /// Ends every process of the pod and removes its groups.
    ///
    /// # Errors
    /// As [`Group::kill`] and [`Group::remove`].
    pub fn remove(&self) -> Result<()> {
        self.0.group.kill()?;
        let containers = self.containers();
        for group in containers.iter().map(|one| &one.group).chain([self.0.pause.group()]) {
            match group.remove() {
                // Its owner has removed it by itself.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                removed => removed?,
            }
        }
        self.0.group.remove()
    }
}

/// The least `oom_score_adj` that a worker can be given.
fn least_score(group: &Group) -> Result<i16> {
    if group.lab("make pod")?.host.can("lower-oom-score-adj") {
        return Ok(i16::MIN);
    }
    // Where it cannot be read, the start of the pause process tells what this process lacks.
    let text = sys::room::read(sys::own_proc("oom_score_adj")).unwrap_or_default();
    Ok(std::str::from_utf8(&text).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(i16::MIN))
}

impl fmt::Debug for Pod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pod({}, {})", self.0.group.cgroup(), self.qos())
    }
}
