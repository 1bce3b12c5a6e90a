//! A container of a pod: when it may start, what runs in it, and how it is started again.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::rules::{self, ContainerKind, Spec};
use super::Pod;
use crate::account::outcome::{Outcome, Verdict};
use crate::error::{Error, ErrorKind, Result};
use crate::lab::group::Group;
use crate::memcg::Limit;
use crate::pressure::command::Command;
use crate::pressure::hog::{Hog, HogOptions};
use crate::pressure::ticker::TickerOptions;
use crate::pressure::worker::Worker;
use crate::wait::Wait;

/// What a new container may be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerOptions {
    /// When it runs.
    pub kind: ContainerKind,
    /// Its limit.
    pub limit: Limit,
    /// The memory that it requests, in bytes; without it, as much as its limit. It is not enforced: the class of the pod and
    /// `oom_score_adj` follow from it.
    pub request: Option<u64>,
    /// Swap that it may use beyond its memory, as in [`Limits`](crate::Limits): 0 unless said otherwise.
    pub swap: Option<Limit>,
    /// `memory.oom.group` (v2 only): an OOM kill takes every process of the container. Without it, as the pod has it.
    pub oom_group: Option<bool>,
}

impl Default for ContainerOptions {
    fn default() -> ContainerOptions {
        let (kind, swap) = (ContainerKind::App, Some(Limit::Bytes(0)));
        ContainerOptions { kind, limit: Limit::Max, request: None, swap, oom_group: None }
    }
}

impl ContainerOptions {
    /// A container of that kind with a limit of so many bytes, of which it requests all.
    pub fn bytes(kind: ContainerKind, limit: u64) -> ContainerOptions {
        ContainerOptions { kind, limit: Limit::Bytes(limit), ..ContainerOptions::default() }
    }

    pub(super) fn spec(&self) -> Spec {
        Spec { kind: self.kind, limit: self.limit, request: self.request }
    }
}

/// A container of a pod. Clones are the same container.
#[derive(Clone)]
pub struct Container {
    pub(super) pod: Pod,
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) group: Group,
    state: Mutex<State>,
}

struct State {
    spec: Spec,
    /// The process whose end is the container's: the first that was started, or started again.
    main: Option<Main>,
    restarts: u32,
}

#[derive(Clone)]
struct Main {
    worker: Worker,
    command: Option<Arc<Command>>,
}

impl Inner {
    pub(super) fn new(group: Group, spec: Spec) -> Inner {
        Inner { group, state: Mutex::new(State { spec, main: None, restarts: 0 }) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn spec(&self) -> Spec {
        self.state().spec
    }

    pub(super) fn set_spec(&self, spec: Spec) {
        self.state().spec = spec;
    }

    pub(super) fn started(&self) -> bool {
        self.state().main.is_some()
    }

    fn main(&self) -> Option<Main> {
        self.state().main.clone()
    }

    /// Why those that come after it have to wait: an init container must have ended with 0, a sidecar must run or have run.
    fn holds_back(&self) -> Result<Option<&'static str>> {
        let kind = self.spec().kind;
        Ok(match (kind, self.main()) {
            (ContainerKind::App, _) | (ContainerKind::Sidecar, Some(_)) => None,
            (_, None) => Some("has not been started"),
            (ContainerKind::Init, Some(main)) if !main.worker.ended() => Some("has not ended"),
            (ContainerKind::Init, Some(main)) => {
                let outcome = main.worker.wait(Duration::ZERO)?;
                let well = outcome.verdict == Verdict::Exited && outcome.returncode == 0;
                (!well).then_some("has failed")
            }
        })
    }
}

impl Container {
    /// Its group.
    pub fn group(&self) -> &Group {
        &self.inner.group
    }

    /// The last component of the path of its group.
    pub fn name(&self) -> String {
        self.inner.group.name()
    }

    /// When it runs.
    pub fn kind(&self) -> ContainerKind {
        self.inner.spec().kind
    }

    /// The memory that it requests, in bytes: its limit where it was told nothing; `None` where it has none either.
    pub fn request_bytes(&self) -> Option<u64> {
        let Spec { limit, request, .. } = self.inner.spec();
        request.or(limit.bytes())
    }

    /// The `oom_score_adj` of what is started in it: what the kubelet would give, or this process's own where that is lower and
    /// may not be set (the ability `lower-oom-score-adj` of the host).
    pub fn oom_score_adj(&self) -> i16 {
        let score = rules::score(&self.pod.specs(), &self.inner.spec(), self.pod.0.node_bytes);
        score.max(self.pod.0.least_score)
    }

    /// How often its main process was started again.
    pub fn restarts(&self) -> u32 {
        self.inner.state().restarts
    }

    /// Starts a command in it. The first is the main process, by whose end the container has ended; while that runs, others
    /// are as if executed in it.
    ///
    /// # Errors
    /// As [`Group::command`]; `Busy` where an init container that was made before it has not ended with 0, or a sidecar has
    /// not been started.
    pub fn command(&self, command: &Command) -> Result<Worker> {
        self.may_start("start command")?;
        let mut command = command.clone();
        command.oom_score_adj = self.score_or(command.oom_score_adj);
        let worker = self.inner.group.command(&command)?;
        self.has_started(&worker, Some(command));
        Ok(worker)
    }

    /// Starts a hog in it; for the rest as [`Container::command`].
    ///
    /// # Errors
    /// As [`Group::hog`] and [`Container::command`].
    pub fn hog(&self, options: &HogOptions) -> Result<Hog> {
        self.may_start("start hog")?;
        let oom_score_adj = self.score_or(options.oom_score_adj);
        let hog = self.inner.group.hog(&HogOptions { oom_score_adj, ..options.clone() })?;
        self.has_started(hog.worker(), None);
        Ok(hog)
    }

    /// Starts a ticker in it; for the rest as [`Container::command`].
    ///
    /// # Errors
    /// As [`Group::ticker`] and [`Container::command`].
    pub fn ticker(&self, options: &TickerOptions) -> Result<Worker> {
        self.may_start("start ticker")?;
        let oom_score_adj = self.score_or(options.oom_score_adj);
        let ticker = self.inner.group.ticker_with(&TickerOptions { oom_score_adj, ..options.clone() })?;
        self.has_started(&ticker, None);
        Ok(ticker)
    }

    /// Waits for the end of its main process, ends what that has left in the container, and starts the same command again, as
    /// the kubelet does with a sidecar, and with others by their restart policy. Gives how the one ended, and the other.
    ///
    /// # Errors
    /// As [`Worker::wait`] and [`Container::command`]; `InvalidInput` where its main process is no command.
    pub fn restart<'a>(&self, wait: impl Into<Wait<'a>>) -> Result<(Outcome, Worker)> {
        let operation = "restart container";
        let Some(Main { worker, command: Some(command) }) = self.inner.main() else {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                operation,
                "no command has been started in it as its main process",
            )
            .path(self.group().path())
            .remedy("start a hog or a ticker anew when it has ended"));
        };
        let outcome = worker.wait(wait)?;
        let group = &self.inner.group;
        if !group.processes()?.is_empty() {
            group.kill()?;
        }
        Ok((outcome, self.command(&command)?))
    }

    fn score_or(&self, told: i16) -> i16 {
        match told {
            0 => self.oom_score_adj(),
            told => told,
        }
    }

    /// Whether all have run that come before it.
    fn may_start(&self, operation: &'static str) -> Result<()> {
        let app = self.kind() == ContainerKind::App;
        let before: Vec<_> = {
            let containers = self.pod.containers();
            let itself = |one: &Arc<Inner>| Arc::ptr_eq(one, &self.inner);
            containers.iter().take_while(|one| app || !itself(one)).filter(|one| !itself(one)).cloned().collect()
        };
        for one in before {
            if let Some(why) = one.holds_back()? {
                let reason = format!("the {} container {} {why}", one.spec().kind, one.group.name());
                return Err(Error::new(ErrorKind::Busy, operation, &reason)
                    .path(self.group().path())
                    .remedy("start it first, and where it is an init container wait until it has ended with 0"));
            }
        }
        Ok(())
    }

    fn has_started(&self, worker: &Worker, command: Option<Command>) {
        let ended = self.inner.main().map(|main| main.worker.ended());
        if ended == Some(false) {
            return;
        }
        let mut state = self.inner.state();
        state.restarts += u32::from(ended == Some(true));
        state.main = Some(Main { worker: worker.clone(), command: command.map(Arc::new) });
    }
}

impl fmt::Debug for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Container({}, {})", self.inner.group.cgroup(), self.kind())
    }
}
