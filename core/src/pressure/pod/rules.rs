//! What the kubelet makes of a pod's requests and limits: class, limit and scores (pkg/kubelet/qos, cm, lifecycle).

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, ErrorKind, Result};
use crate::memcg::Limit;

/// The `oom_score_adj` of the pause process.
pub(super) const PAUSE: i16 = -998;
const GUARANTEED: i16 = -997;
const BEST_EFFORT: i16 = 1000;
/// What keeps a burstable container apart from those of both other classes.
const BURSTABLE: (i64, i64) = (1000 + GUARANTEED as i64, BEST_EFFORT as i64 - 1);

/// When a container of a pod runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ContainerKind {
    /// After all init containers, beside the other containers.
    App,
    /// Before the containers that are made after it: these wait until it has ended with 0.
    Init,
    /// A restartable init container: started in the order of the init containers, and it runs on beside all others.
    Sidecar,
}

impl ContainerKind {
    /// The kind as users write it.
    pub fn name(self) -> &'static str {
        match self {
            ContainerKind::App => "app",
            ContainerKind::Init => "init",
            ContainerKind::Sidecar => "sidecar",
        }
    }
}

impl fmt::Display for ContainerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for ContainerKind {
    type Err = Error;

    fn from_str(text: &str) -> Result<ContainerKind> {
        let kinds = [ContainerKind::App, ContainerKind::Init, ContainerKind::Sidecar];
        kinds.into_iter().find(|kind| kind.name() == text).ok_or_else(|| {
            Error::new(ErrorKind::InvalidInput, "read container kind", "the kind of container is unknown")
                .value(text)
                .remedy("use app, init or sidecar")
        })
    }
}

/// The quality-of-service class of a pod. memoom looks at memory alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Qos {
    /// Every container has a limit, and requests as much.
    Guaranteed,
    /// Neither of the others.
    Burstable,
    /// No container has a request or a limit.
    BestEffort,
}

impl Qos {
    /// The class as Kubernetes writes it, in lower case.
    pub fn name(self) -> &'static str {
        match self {
            Qos::Guaranteed => "guaranteed",
            Qos::Burstable => "burstable",
            Qos::BestEffort => "besteffort",
        }
    }
}

impl fmt::Display for Qos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a pod says of one container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spec {
    pub(super) kind: ContainerKind,
    pub(super) limit: Limit,
    pub(super) request: Option<u64>,
}

impl Spec {
    /// Where nothing is requested, the limit is.
    fn requested(&self) -> Option<u64> {
        self.request.or(self.limit.bytes())
    }

    /// A request above the limit is refused by Kubernetes too.
    pub(super) fn check(&self, operation: &'static str) -> Result<()> {
        match (self.limit, self.request) {
            (Limit::Bytes(limit), Some(request)) if request > limit => {
                Err(Error::new(ErrorKind::InvalidInput, operation, "the request is above the limit")
                    .value(format!("request {request}, limit {limit}"))
                    .remedy("request at most the limit"))
            }
            _ => Ok(()),
        }
    }
}

pub(super) fn qos(containers: &[Spec]) -> Qos {
    let guaranteed = |one: &Spec| one.limit != Limit::Max && one.requested() == one.limit.bytes();
    if containers.iter().all(|one| one.limit == Limit::Max && one.request.is_none()) {
        Qos::BestEffort
    } else if containers.iter().all(guaranteed) {
        Qos::Guaranteed
    } else {
        Qos::Burstable
    }
}

/// What a pod may take at most: the containers and sidecars together, or what an init container needs beside the sidecars
/// that were made before it, where that is more. None where one of them has no limit.
pub(super) fn limit(containers: &[Spec]) -> Limit {
    let (mut running, mut most, mut sidecars) = (0u64, 0u64, 0u64);
    for one in containers {
        let Limit::Bytes(bytes) = one.limit else { return Limit::Max };
        match one.kind {
            ContainerKind::App => running = running.saturating_add(bytes),
            ContainerKind::Sidecar => {
                running = running.saturating_add(bytes);
                sidecars = sidecars.saturating_add(bytes);
                most = most.max(sidecars);
            }
            ContainerKind::Init => most = most.max(sidecars.saturating_add(bytes)),
        }
    }
    match containers.is_empty() {
        true => Limit::Max,
        false => Limit::Bytes(most.max(running)),
    }
}

/// The `oom_score_adj` of the processes of a container.
pub(super) fn score(containers: &[Spec], of: &Spec, node_bytes: u64) -> i16 {
    match qos(containers) {
        Qos::Guaranteed => GUARANTEED,
        Qos::BestEffort => BEST_EFFORT,
        Qos::Burstable => {
            let share = |spec: &Spec| {
                let thousandths = u128::from(spec.requested().unwrap_or(0)) * 1000 / u128::from(node_bytes.max(1));
                1000 - i64::try_from(thousandths).unwrap_or(i64::MAX)
            };
            let apps = containers.iter().filter(|one| one.kind == ContainerKind::App);
            // A sidecar is never worth less than the container that asks for least.
            let least = apps.map(share).max().filter(|_| of.kind == ContainerKind::Sidecar);
            let own = share(of);
            let score = least.map_or(own, |least| own.min(least)).clamp(BURSTABLE.0, BURSTABLE.1);
            i16::try_from(score).unwrap_or(BEST_EFFORT)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;
    const GIB: u64 = 1 << 30;

    fn spec(kind: ContainerKind, limit: Option<u64>, request: Option<u64>) -> Spec {
        Spec { kind, limit: limit.map_or(Limit::Max, Limit::Bytes), request }
    }

    fn app(limit: Option<u64>, request: Option<u64>) -> Spec {
        spec(ContainerKind::App, limit, request)
    }

    #[test]
    fn the_class_follows_from_requests_and_limits() {
        assert_eq!(qos(&[]), Qos::BestEffort);
        assert_eq!(qos(&[app(None, None), app(None, None)]), Qos::BestEffort);
        assert_eq!(qos(&[app(Some(MIB), None)]), Qos::Guaranteed, "without a request the limit is requested");
        assert_eq!(qos(&[app(Some(MIB), Some(MIB)), app(None, None)]), Qos::Burstable);
        assert_eq!(qos(&[app(Some(2 * MIB), Some(MIB))]), Qos::Burstable);
        assert_eq!(qos(&[app(None, Some(MIB))]), Qos::Burstable);
        let init = spec(ContainerKind::Init, None, None);
        assert_eq!(qos(&[init, app(Some(MIB), None)]), Qos::Burstable, "an init container counts too");
    }

    #[test]
    fn a_pod_may_take_what_its_containers_may_at_any_time() {
        let init = |limit| spec(ContainerKind::Init, Some(limit), None);
        let sidecar = |limit| spec(ContainerKind::Sidecar, Some(limit), None);
        let app = |limit| app(Some(limit), None);
        assert_eq!(limit(&[]), Limit::Max);
        assert_eq!(limit(&[app(3), app(4)]), Limit::Bytes(7));
        assert_eq!(limit(&[init(10), app(3), app(4)]), Limit::Bytes(10), "an init container runs by itself");
        assert_eq!(limit(&[init(5), init(6), app(3), app(4)]), Limit::Bytes(7), "one after the other");
        assert_eq!(limit(&[sidecar(2), init(10), app(3)]), Limit::Bytes(12), "beside the sidecars before it");
        assert_eq!(limit(&[init(10), sidecar(2), app(3)]), Limit::Bytes(10), "not beside those after it");
        assert_eq!(limit(&[app(3), spec(ContainerKind::App, None, Some(1))]), Limit::Max);
    }

    #[test]
    fn scores_are_those_of_the_kubelet() {
        let of = |containers: &[Spec]| -> Vec<i16> {
            containers.iter().map(|one| score(containers, one, 16 * GIB)).collect()
        };
        assert_eq!(of(&[app(None, None)]), [1000]);
        assert_eq!(of(&[app(Some(GIB), None)]), [-997]);
        assert_eq!(of(&[app(None, Some(GIB)), app(None, None)]), [938, 999]);
        assert_eq!(of(&[app(Some(32 * GIB), Some(16 * GIB))]), [3], "all of the node is not as good as guaranteed");
        let sidecar = spec(ContainerKind::Sidecar, None, None);
        assert_eq!(of(&[sidecar, app(None, Some(GIB)), app(None, Some(4 * GIB))]), [938, 938, 750]);
        let dear = spec(ContainerKind::Sidecar, None, Some(8 * GIB));
        assert_eq!(of(&[dear, app(None, Some(GIB))]), [500, 938], "its own request counts where it is more");
    }

    #[test]
    fn a_request_is_not_above_its_limit() {
        assert!(app(Some(MIB), Some(MIB)).check("make container").is_ok());
        let error = app(Some(MIB), Some(MIB + 1)).check("make container").unwrap_err();
        assert!(error.to_string().contains("request 1048577, limit 1048576"), "{error}");
    }
}
