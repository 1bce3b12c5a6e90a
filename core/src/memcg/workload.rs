//! What stands behind the path of a group: the pod, container, job, unit or virtual machine that its name tells of.
//!
//! A function of the text alone. It knows the names that kubelet, container runtimes, systemd, batch systems and
//! hypervisors give to their groups, by cgroupfs and by systemd, also below another one (a runtime in a container).

mod named;
mod walk;

use serde::Serialize;

pub(crate) use self::named::Named;
use self::walk::{is_id, Walk};
use crate::text::{escape, unescape};

/// What a group belongs to, as its path tells.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Workload {
    /// What it is.
    pub kind: WorkloadKind,
    /// What made it: `Kubernetes` for a pod; `containerd`, `Docker`, `CRI-O`, `Podman`, `LXC`, `Slurm`, ...
    pub runtime: Option<&'static str>,
    /// The systemd unit (service or scope), as systemctl takes it.
    pub unit: Option<String>,
    /// The innermost systemd slice, as systemctl takes it.
    pub slice: Option<String>,
    /// The container's id, as much of it as the path has.
    pub container_id: Option<String>,
    /// The uid of the Kubernetes pod.
    pub pod_uid: Option<String>,
    /// The quality of service of the pods: `guaranteed`, `burstable`, `besteffort`.
    pub qos: Option<&'static str>,
    /// The name of a container, virtual machine or application: in its path, or, of a container, in the state of its
    /// runtime where that could be read.
    pub name: Option<String>,
    /// The name of the Kubernetes pod, where the state of the kubelet could be read; else it is not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod_name: Option<String>,
    /// The namespace of that pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The id of the batch job, or of the task of an orchestrator.
    pub job: Option<String>,
    /// The step of the batch job.
    pub step: Option<String>,
    /// The number of the login session.
    pub session: Option<String>,
    /// The user id.
    pub user: Option<u32>,
    /// What the path has below it.
    pub below: Option<String>,
    /// All of that as a phrase: `the containerd container 3f5e0a1b2c3d of the burstable pod 1234-...`.
    pub words: String,
    /// A command that shows more of it, on the machine itself.
    pub ask: Option<String>,
}

/// The kinds of workloads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum WorkloadKind {
    /// The root of the hierarchy: all that runs.
    #[default]
    Machine,
    /// A container.
    Container,
    /// A pod: several containers under one limit.
    Pod,
    /// All pods of a node, or those of one quality of service.
    Pods,
    /// A batch job, a step of one, or a task of an orchestrator.
    Job,
    /// A virtual machine.
    VirtualMachine,
    /// A systemd service.
    Service,
    /// A systemd scope that is none of the others.
    Scope,
    /// A login session.
    Session,
    /// All that a user runs.
    User,
    /// A systemd slice that is none of the others.
    Slice,
    /// A lab of memoom's, or a group in it.
    Lab,
}

impl WorkloadKind {
    /// Its name in documents: `container`, `virtual-machine`, ...
    pub fn name(self) -> &'static str {
        match self {
            WorkloadKind::Machine => "machine",
            WorkloadKind::Container => "container",
            WorkloadKind::Pod => "pod",
            WorkloadKind::Pods => "pods",
            WorkloadKind::Job => "job",
            WorkloadKind::VirtualMachine => "virtual-machine",
            WorkloadKind::Service => "service",
            WorkloadKind::Scope => "scope",
            WorkloadKind::Session => "session",
            WorkloadKind::User => "user",
            WorkloadKind::Slice => "slice",
            WorkloadKind::Lab => "lab",
        }
    }
}

/// What is behind a path, which may be escaped as documents show it; `None` where its names tell nothing.
pub fn workload(path: &[u8]) -> Option<Workload> {
    let path = path.strip_prefix(b"/").unwrap_or(path);
    if path.is_empty() {
        return Some(Workload::default().told());
    }
    let mut walk = Walk::default();
    for part in path.split(|&byte| byte == b'/').filter(|part| !part.is_empty()) {
        // A document shows systemd's `\x2d` as `\x5cx2d`.
        let part = match part.windows(4).any(|four| four == br"\x5c") {
            true => unescape(&String::from_utf8_lossy(part)),
            false => part.to_vec(),
        };
        walk.enter(&String::from_utf8_lossy(&part));
    }
    walk.found().map(Workload::told)
}

/// As much of an id as all tools take.
fn short(id: &str) -> &str {
    match id.char_indices().nth(12) {
        Some((end, _)) if is_id(id, 13) => &id[..end],
        _ => id,
    }
}

/// A name and an id as they stand behind a word, each where it is known.
fn own(id: &Option<String>, name: &Option<String>) -> String {
    match (name, id.as_deref().map(short)) {
        (Some(name), Some(id)) => format!(" {name} ({id})"),
        (Some(shown), None) => format!(" {shown}"),
        (None, Some(shown)) => format!(" {shown}"),
        (None, None) => String::new(),
    }
}

impl Workload {
    /// The workload as one JSON document.
    pub fn to_json(&self) -> String {
        crate::text::json(self)
    }

    /// The same with its words and the command.
    fn told(mut self) -> Workload {
        self.words = self.phrase();
        // Documents are ASCII, and an escaped name is no name for a command.
        self.ask = self.command().filter(|command| command.is_ascii());
        // A stranger's path goes to terminals and into documents; systemd's own backslashes stay.
        let plain = |text: &str| escape(text.as_bytes()).replace("\\x5c", "\\");
        self.words = plain(&self.words);
        let Workload { unit, slice, container_id, pod_uid, name, pod_name, namespace, .. } = &mut self;
        let names = [unit, slice, container_id, pod_uid, name, pod_name, namespace].into_iter().flatten();
        names.for_each(|part| *part = plain(part));
        let Workload { job, step, session, below, .. } = &mut self;
        [job, step, session, below].into_iter().flatten().for_each(|part| *part = plain(part));
        self
    }

    fn phrase(&self) -> String {
        let runtime = self.runtime.map_or(String::new(), |runtime| format!("{runtime} "));
        let by_user = self.user.map_or(String::new(), |user| format!(" of user {user}"));
        let unit = self.unit.as_deref().unwrap_or_default();
        let mut words = match self.kind {
            WorkloadKind::Machine => "the whole machine".to_string(),
            WorkloadKind::Container => {
                let outer = if let Some(pod) = self.pod_words() {
                    format!(" of {pod}")
                } else if let Some(job) = &self.job {
                    format!(" of the job {job}")
                } else {
                    by_user
                };
                format!("the {runtime}container{}{outer}", own(&self.container_id, &self.name))
            }
            WorkloadKind::Pod => self.pod_words().unwrap_or_else(|| "a pod".to_string()),
            WorkloadKind::Pods => match self.qos {
                Some(qos) => format!("all {qos} pods of this node (Kubernetes)"),
                None => "all pods of this node (Kubernetes)".to_string(),
            },
            WorkloadKind::Job => match (&self.job, &self.step) {
                (Some(job), Some(step)) if self.runtime == Some("Slurm") => {
                    format!("step {step} of the {runtime}job {job}{by_user}")
                }
                (Some(job), None) if self.runtime == Some("HTCondor") => format!("the {runtime}slot {job}"),
                (Some(job), Some(task)) => format!("the task {task} of the {runtime}job {job}"),
                (Some(job), None) if self.runtime == Some("Amazon ECS") => format!("the {runtime}task {job}"),
                (Some(job), None) => format!("the {runtime}job {job}{by_user}"),
                _ => format!("all {runtime}jobs{by_user}"),
            },
            WorkloadKind::VirtualMachine => {
                format!("the virtual machine{} ({})", own(&None, &self.name), self.runtime.unwrap_or("unknown"))
            }
            WorkloadKind::Service => match &self.name {
                Some(name) => format!("the application {name}{by_user} ({unit})"),
                None => format!("the systemd service {unit}{by_user}"),
            },
            WorkloadKind::Scope => match (&self.name, unit) {
                (Some(name), _) => format!("the application {name}{by_user} ({unit})"),
                (None, "init.scope") => "systemd itself (init.scope)".to_string(),
                _ => format!("the systemd scope {unit}{by_user}"),
            },
            WorkloadKind::Session => {
                format!("the login session {}{by_user}", self.session.as_deref().unwrap_or_default())
            }
            WorkloadKind::User => format!("all that user {} runs", self.user.unwrap_or_default()),
            WorkloadKind::Slice => format!("the systemd slice {}", self.slice.as_deref().unwrap_or_default()),
            WorkloadKind::Lab => "a group of memoom's".to_string(),
        };
        if let Some(below) = self.below.as_ref().filter(|_| self.kind != WorkloadKind::Lab) {
            words.push_str(&format!(", its group {below}"));
        }
        words
    }

    fn pod_words(&self) -> Option<String> {
        let uid = self.pod_uid.as_deref()?;
        if let Some(name) = &self.pod_name {
            let within = self.namespace.as_ref().map_or(String::new(), |namespace| format!("{namespace}/"));
            return Some(format!("the {}pod {within}{name}", self.qos.map_or(String::new(), |qos| format!("{qos} "))));
        }
        Some(match self.qos {
            Some(qos) => format!("the {qos} pod {uid}"),
            None => format!("the {} pod {}", self.runtime.unwrap_or("unknown"), short(uid)),
        })
    }

    fn command(&self) -> Option<String> {
        let tool = match (self.kind, self.runtime) {
            (WorkloadKind::Container, Some("Podman")) => "podman inspect",
            (WorkloadKind::Container, Some("Docker" | "Amazon ECS")) => "docker inspect",
            (WorkloadKind::Container, Some("LXC")) => "lxc-info -n",
            (WorkloadKind::Container, Some("systemd-nspawn")) => "machinectl status",
            (WorkloadKind::VirtualMachine, Some("Proxmox")) => "qm status",
            (WorkloadKind::Container | WorkloadKind::VirtualMachine, Some("libvirt")) => "virsh dominfo",
            (WorkloadKind::Container, Some("Garden" | "Nomad")) => return None,
            (WorkloadKind::Container, _) => "crictl inspect",
            (WorkloadKind::Pod, Some("Podman")) => "podman pod inspect",
            (WorkloadKind::Pod, _) if self.pod_name.is_some() => {
                let pod = word(self.pod_name.as_deref()?)?;
                return Some(match self.namespace.as_deref().and_then(word) {
                    Some(namespace) => format!("kubectl describe pod -n {namespace} {pod}"),
                    None => format!("kubectl describe pod {pod}"),
                });
            }
            // The API server selects no pod by its uid.
            (WorkloadKind::Pod, _) => {
                "kubectl get pods -A -o custom-columns=:metadata.uid,:metadata.namespace,:metadata.name | grep"
            }
            (WorkloadKind::Job, Some("Slurm")) => "scontrol show job",
            (WorkloadKind::Job, Some("PBS")) => "qstat -f",
            (WorkloadKind::Job, Some("Nomad")) => "nomad alloc status",
            (WorkloadKind::Service | WorkloadKind::Scope, _) if self.user.is_some() => "systemctl --user status",
            (WorkloadKind::Service | WorkloadKind::Scope | WorkloadKind::Slice, _) => "systemctl status",
            (WorkloadKind::Session, _) => "loginctl session-status",
            (WorkloadKind::User, _) => "loginctl user-status",
            _ => return None,
        };
        let user = self.user.map(|user| user.to_string());
        let of = match self.kind {
            WorkloadKind::Container | WorkloadKind::VirtualMachine => {
                self.name.as_deref().or(self.container_id.as_deref().map(short))
            }
            WorkloadKind::Pod if self.runtime == Some("Podman") => self.pod_uid.as_deref().map(short),
            WorkloadKind::Pod => self.pod_uid.as_deref(),
            WorkloadKind::Job => self.job.as_deref(),
            WorkloadKind::Session => self.session.as_deref(),
            WorkloadKind::User => user.as_deref(),
            WorkloadKind::Slice => self.slice.as_deref(),
            _ => self.unit.as_deref(),
        };
        Some(format!("{tool} {}", word(of?)?))
    }
}

/// One word of a shell's command. The path is a stranger's: what could be an option or a control character is none.
fn word(text: &str) -> Option<String> {
    if text.is_empty() || text.starts_with('-') || text.chars().any(char::is_control) {
        return None;
    }
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"@._:-+,=".contains(&byte));
    Some(if plain { text.to_string() } else { format!("'{}'", text.replace('\'', "'\\''")) })
}

#[cfg(test)]
mod tests;
