//! The resize of a container in place: its limit and its pod's, in the order that keeps the one below the other.

use super::rules::{self, Spec};
use super::Container;
use crate::error::{Error, ErrorKind, Result};
use crate::lab::group::Group;
use crate::memcg::Limit;

impl Container {
    /// Gives the container another limit, and another request where one is given, as the kubelet does in place: upwards the
    /// pod's limit first, downwards the container's. What the pod was told to have at most stays. Processes that run keep
    /// their `oom_score_adj`.
    ///
    /// Downwards, a limit that the usage has reached already is refused, as the kubelet refuses it from 1.34; with `forced` it
    /// is written all the same, as before: on cgroup v2 the kernel then reclaims, and kills in the container; cgroup v1 refuses
    /// what it cannot reclaim.
    ///
    /// # Errors
    /// As [`Group::set_limit`]; `Busy` for a limit that the usage has reached, and on v1 for one that cannot be reached;
    /// `InvalidInput` for a request above the limit, or where the pod would be of another class.
    pub fn resize(&self, limit: Limit, request: Option<u64>, forced: bool) -> Result<()> {
        let operation = "resize container";
        let before = self.inner.spec();
        let after = Spec { limit, request: request.or(before.request), ..before };
        after.check(operation)?;
        let (pod, group) = (&self.pod, &self.inner.group);
        let specs = self.specs_with(after);
        if rules::qos(&specs) != pod.qos() {
            return Err(Error::new(ErrorKind::InvalidInput, operation, "the pod would be of another class")
                .path(group.path())
                .value(format!("{}, is {}", rules::qos(&specs), pod.qos()))
                .remedy("keep the request at the limit in a guaranteed pod, and below it, or without one, in a burstable one"));
        }
        let (pod_before, pod_after) = (pod.group().limit()?, rules::limit(&specs));
        let follows = pod.0.options.limit.is_none() && pod_after != pod_before;
        if !forced {
            fits(operation, group, limit)?;
            if follows {
                fits(operation, pod.group(), pod_after)?;
            }
        }
        if follows && pod_after > pod_before {
            pod.group().set_limit(pod_after)?;
        }
        let set = group.set_limit(limit).and_then(|()| {
            self.inner.set_spec(after);
            match follows && pod_after < pod_before {
                true => pod.group().set_limit(pod_after),
                false => Ok(()),
            }
        });
        set.inspect_err(|_| {
            // Nothing half done: upwards is always allowed, and downwards nobody has met the new limit yet.
            self.inner.set_spec(before);
            drop(group.set_limit(before.limit));
            drop(pod.group().set_limit(pod_before));
        })
    }

    fn specs_with(&self, after: Spec) -> Vec<Spec> {
        let containers = self.pod.containers();
        let itself = |one| std::sync::Arc::ptr_eq(one, &self.inner);
        containers.iter().map(|one| if itself(one) { after } else { one.spec() }).collect()
    }
}

/// Whether the usage is below a new limit.
fn fits(operation: &'static str, group: &Group, limit: Limit) -> Result<()> {
    let usage = group.usage_bytes()?;
    match limit {
        Limit::Bytes(limit) if usage >= limit => {
            Err(Error::new(ErrorKind::Busy, operation, "the usage has reached the new limit already")
                .path(group.path())
                .value(format!("limit {limit}, usage {usage}"))
                .remedy(
                    "have it give memory back first, choose a higher limit, or force it and see whom the kernel kills",
                ))
        }
        _ => Ok(()),
    }
}
