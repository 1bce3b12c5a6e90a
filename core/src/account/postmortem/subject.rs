//! Whose death is asked about, and which groups and kills are meant by it.

use crate::memcg::path::covers;
use crate::memcg::workload::{workload, WorkloadKind};
use crate::observe::report::{Kill, Report};
use crate::text::{escape, unescape};

/// Whose death is asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Subject {
    /// The last OOM kill on this machine.
    Last,
    /// A process, by its pid as this machine's first pid namespace has it.
    Pid(i32),
    /// A group and those below it, by its path as the kernel writes it.
    Group(String),
    /// A systemd unit: `nginx.service`, or `nginx` as systemctl(1) takes it; `session-3.scope`, `user-1000.slice`.
    Unit(String),
    /// A container, by its id or the first characters of it, or by its name where the path of its group has one.
    Container(String),
    /// A pod, by its uid (Kubernetes) or its id or the first characters of it (Podman).
    Pod(String),
    /// A Slurm job, or one step of it.
    Slurm {
        /// The id of the job.
        job: String,
        /// The step: `0`, `batch`, `extern`.
        step: Option<String>,
    },
}

/// The fewest characters of an id that stand for the whole: what tools show is longer.
const LEAST: usize = 4;

impl Subject {
    /// A Slurm job or step as its tools write it: `JOB` or `JOB.STEP`.
    pub fn slurm(text: &str) -> Subject {
        let (job, step) = text.split_once('.').map_or((text, None), |(job, step)| (job, Some(step)));
        Subject::Slurm { job: job.to_string(), step: step.map(str::to_string) }
    }

    pub(super) fn text(&self) -> String {
        let shown = |name: &str| escape(name.as_bytes()).replace("\\x5c", "\\");
        match self {
            Subject::Last => "the last OOM kill".to_string(),
            Subject::Pid(pid) => format!("pid {pid}"),
            Subject::Group(group) => group.clone(),
            Subject::Unit(unit) => format!("unit {}", shown(unit)),
            Subject::Container(id) => format!("container {}", shown(id)),
            Subject::Pod(uid) => format!("pod {}", shown(uid)),
            Subject::Slurm { job, step: None } => format!("Slurm job {}", shown(job)),
            Subject::Slurm { job, step: Some(step) } => format!("Slurm step {}.{}", shown(job), shown(step)),
        }
    }

    /// Whether a name in it is empty, which names nothing.
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Subject::Last | Subject::Pid(_) => false,
            Subject::Group(name) | Subject::Unit(name) | Subject::Container(name) | Subject::Pod(name) => {
                name.is_empty()
            }
            Subject::Slurm { job, step } => job.is_empty() || step.as_ref().is_some_and(String::is_empty),
        }
    }

    /// Whether it is found by what the paths of groups tell.
    pub(crate) fn is_sought(&self) -> bool {
        !matches!(self, Subject::Last | Subject::Pid(_) | Subject::Group(_))
    }

    /// The first group on that path which is meant, and the whole name of what stands there.
    pub(crate) fn place<'a>(&self, path: &'a str) -> Option<(String, &'a str)> {
        if let Subject::Group(group) = self {
            return covers(group, path).then(|| (group.clone(), path));
        }
        let ends = path.match_indices('/').map(|(at, _)| at).skip(1).chain([path.len()]);
        ends.map(|end| &path[..end]).find_map(|above| Some((self.identity(above)?, above)))
    }

    /// The whole name of what stands in exactly that group, where it is meant.
    fn identity(&self, path: &str) -> Option<String> {
        let found = workload(path.as_bytes()).filter(|found| found.below.is_none())?;
        match self {
            Subject::Unit(unit) => {
                let last = unescape(path.rsplit('/').next()?);
                // A name without a kind is a service's, as systemctl(1) has it.
                let is_it =
                    |name: &[u8]| name == unit.as_bytes() || name.strip_suffix(b".service") == Some(unit.as_bytes());
                let known = [&found.unit, &found.slice].into_iter().flatten().any(|known| is_it(known.as_bytes()));
                (known && is_it(&last)).then(|| path.to_string())
            }
            Subject::Container(id) if found.kind == WorkloadKind::Container => {
                let by_id = found.container_id.filter(|whole| begins(whole, id));
                by_id.or_else(|| found.name.filter(|name| name == id))
            }
            Subject::Pod(uid) if found.kind == WorkloadKind::Pod => found.pod_uid.filter(|whole| begins(whole, uid)),
            Subject::Slurm { job, step } if found.runtime == Some("Slurm") => {
                (found.job.as_ref() == Some(job) && found.step == *step).then(|| self.text())
            }
            _ => None,
        }
    }

    /// The kill of a report that is asked about: the last of several.
    pub(super) fn killed<'a>(&self, report: &'a Report) -> Option<&'a Kill> {
        match self {
            Subject::Last => report.kills.last(),
            Subject::Pid(pid) => {
                report.kills.iter().find(|kill| report.process_of(kill.pid).unwrap_or(kill.pid) == *pid)
            }
            _ => {
                let inside =
                    |path: &Option<Vec<u8>>| path.as_deref().is_some_and(|path| self.place(&escape(path)).is_some());
                let in_it = inside(&report.task_memcg) || inside(&report.group_kill);
                in_it.then(|| report.kills.last()).flatten()
            }
        }
    }
}

fn begins(whole: &str, asked: &str) -> bool {
    whole == asked || asked.len() >= LEAST && whole.starts_with(asked)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "3f5e0a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7";
    const POD: &str =
        "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod0d8a9c3e_1b2c_4d5e_8f90_a1b2c3d4e5f6.slice";

    #[test]
    fn a_subject_is_the_first_group_on_a_path_that_is_it() {
        let container = format!("{POD}/cri-containerd-{ID}.scope");
        let inside = format!("{container}/init.scope");
        let pod = Subject::Pod("0d8a9c3e-1b2c-4d5e-8f90-a1b2c3d4e5f6".to_string());
        let unit = |name: &str| Subject::Unit(name.to_string());
        for (subject, path, place) in [
            (&pod, inside.as_str(), Some(POD)),
            (&Subject::Container(ID[..12].to_string()), &inside, Some(container.as_str())),
            (&Subject::Container(ID[..3].to_string()), &inside, None),
            (&Subject::Container("5e0a1b".to_string()), &inside, None),
            (&unit("kubepods.slice"), &inside, Some("/kubepods.slice")),
            (&unit("web.service"), "/system.slice/web.service/workers", Some("/system.slice/web.service")),
            (&unit("web.service"), "/system.slice/my-web.service", None),
            (&unit("web"), "/system.slice/web.service", Some("/system.slice/web.service")),
            (&unit("web"), "/system.slice/web.scope", None),
            (&unit("system"), "/system.slice/other.service", None),
            (&unit("system.slice"), "/system.slice/web.service", Some("/system.slice")),
            (
                &unit(r"run-a\x2db.scope"),
                r"/system.slice/run-a\x5cx2db.scope",
                Some(r"/system.slice/run-a\x5cx2db.scope"),
            ),
            (&Subject::slurm("42"), "/slurm/uid_7/job_42/step_0/task_1", Some("/slurm/uid_7/job_42")),
            (&Subject::slurm("42.0"), "/slurm/uid_7/job_42/step_0/task_1", Some("/slurm/uid_7/job_42/step_0")),
            (&Subject::slurm("42.batch"), "/slurm/uid_7/job_42/step_0", None),
            (&Subject::slurm("4"), "/slurm/uid_7/job_42/step_0", None),
        ] {
            assert_eq!(subject.place(path).map(|(_, place)| place), place, "{subject:?} on {path}");
        }
    }
}
