//! The way down a path, part by part: each may be the name of something inside of what was found so far.

use super::{Workload, WorkloadKind};
use crate::text::unescape;

/// Scopes that runtimes make: what stands before the container's id, and whose it is.
const SCOPES: [(&str, &str); 7] = [
    ("cri-containerd-", "containerd"),
    ("containerd-", "containerd"),
    ("docker-", "Docker"),
    ("crio-", "CRI-O"),
    ("libpod-", "Podman"),
    ("nerdctl-", "containerd"),
    ("isulad-", "iSulad"),
];

/// Folders below which each group is a container, and whose.
const FOLDERS: [(&str, &str); 8] = [
    ("docker", "Docker"),
    ("moby", "Docker"),
    ("k8s.io", "containerd"),
    ("lxc", "LXC"),
    ("lxc.payload", "LXC"),
    ("garden", "Garden"),
    ("libpod_parent", "Podman"),
    ("nomad", "Nomad"),
];

/// The way down a path: what was found so far, and the part above.
#[derive(Default)]
pub(super) struct Walk {
    found: Option<Workload>,
    above: String,
    slurm: bool,
}

impl Walk {
    pub(super) fn found(self) -> Option<Workload> {
        self.found
    }

    pub(super) fn enter(&mut self, part: &str) {
        if !self.place(part) {
            if let Some(found) = &mut self.found {
                let below = found.below.get_or_insert_default();
                if !below.is_empty() {
                    below.push('/');
                }
                below.push_str(part);
            }
        }
        self.above = part.to_string();
    }

    /// Whether the part was understood.
    fn place(&mut self, part: &str) -> bool {
        self.pods(part)
            || self.container(part)
            || self.job(part)
            || self.unit(part)
            || self.folder(part)
            || part.starts_with("memoom-") && part.split('-').count() >= 5 && self.set(WorkloadKind::Lab, None)
    }

    /// What was reached, inside of what was found so far: of the outer one only the user, the slice, the pod and the job
    /// are still told.
    fn set(&mut self, kind: WorkloadKind, runtime: Option<&'static str>) -> bool {
        let outer = self.found.take().unwrap_or_default();
        let (pod_uid, qos) = match kind {
            WorkloadKind::Pods => (None, None),
            _ => (outer.pod_uid, outer.qos),
        };
        self.found = Some(Workload {
            kind,
            runtime,
            pod_uid,
            qos,
            slice: outer.slice,
            user: outer.user,
            job: outer.job,
            ..Workload::default()
        });
        true
    }

    fn now(&mut self) -> &mut Workload {
        self.found.get_or_insert_default()
    }

    fn is(&self, kind: WorkloadKind) -> bool {
        self.found.as_ref().is_some_and(|found| found.kind == kind)
    }

    /// `kubepods/burstable/podUID`, `kubepods-burstable-podUID.slice`, `…slice:cri-containerd:ID`.
    fn pods(&mut self, part: &str) -> bool {
        let (part, container) = match part.split_once(':') {
            Some((part, rest)) if part.contains("pod") => (part, rest.rsplit_once(':')),
            _ => (part, None),
        };
        let within = self.is(WorkloadKind::Pods);
        let qos = self.found.as_ref().filter(|_| within).and_then(|found| found.qos);
        let slice = part.strip_suffix(".slice");
        let name = slice.unwrap_or(part);
        // `kubepods`, `kubelet-kubepods`, `kubepods-burstable-pod…`
        let rest = match name.find("kubepods") {
            Some(at) if at == 0 || name[..at].ends_with('-') => &name[at + "kubepods".len()..],
            _ if within && slice.is_none() => name,
            _ => return false,
        };
        self.set(WorkloadKind::Pods, Some("Kubernetes"));
        self.now().qos = qos;
        if slice.is_some() {
            self.now().slice = Some(part.to_string());
        }
        for word in ["besteffort", "burstable"] {
            if rest.trim_start_matches('-').starts_with(word) {
                self.now().qos = Some(word);
            }
        }
        let uid = rest.strip_prefix("pod").or_else(|| rest.split_once("-pod").map(|(_, uid)| uid));
        if let Some(uid) = uid.filter(|uid| !uid.is_empty()) {
            let now = self.now();
            now.kind = WorkloadKind::Pod;
            now.qos = now.qos.or(Some("guaranteed"));
            now.pod_uid = Some(uid.replace('_', "-"));
        }
        if let Some((runtime, id)) = container {
            let runtime = if runtime.contains("crio") { "CRI-O" } else { "containerd" };
            self.set(WorkloadKind::Container, Some(runtime));
            self.now().container_id = Some(id.to_string());
        }
        true
    }

    fn container(&mut self, part: &str) -> bool {
        if let Some(scope) = part.strip_suffix(".scope") {
            let found = SCOPES.iter().find_map(|(prefix, runtime)| Some((scope.strip_prefix(prefix)?, *runtime)));
            if let Some((id, runtime)) = found.filter(|(id, _)| !id.is_empty()) {
                let id = id.strip_prefix("conmon-").unwrap_or(id);
                self.set(WorkloadKind::Container, Some(runtime));
                let now = self.now();
                (now.container_id, now.unit) = (Some(id.to_string()), Some(part.to_string()));
                return true;
            }
        }
        // cgroupfs: the container is right below its pod.
        if self.is(WorkloadKind::Pod) && self.above.contains("pod") && is_id(part, 2) && !part.ends_with(".scope") {
            self.set(WorkloadKind::Container, None);
            self.now().container_id = Some(part.to_string());
            return true;
        }
        let named = ["lxc.payload.", "lxc.monitor."].iter().find_map(|prefix| part.strip_prefix(prefix));
        if let Some(name) = named {
            self.set(WorkloadKind::Container, Some("LXC"));
            self.now().name = Some(name.to_string());
            return true;
        }
        let Some((_, runtime)) = FOLDERS.iter().find(|(folder, _)| *folder == self.above) else { return false };
        if part == "buildkit" || part == "buildx" || part.ends_with(".slice") || part.ends_with(".service") {
            return false;
        }
        self.set(WorkloadKind::Container, Some(runtime));
        let now = self.now();
        if *runtime == "LXC" {
            now.name = Some(part.to_string());
        } else {
            now.container_id = Some(part.to_string());
        }
        true
    }

    /// Slurm, Amazon ECS, Nomad, HTCondor, PBS.
    fn job(&mut self, part: &str) -> bool {
        if part == "slurm" || part.starts_with("slurm_") || part.ends_with("slurmstepd.scope") {
            self.slurm = true;
            self.set(WorkloadKind::Job, Some("Slurm"));
            if part.ends_with(".scope") {
                self.now().unit = Some(part.to_string());
            }
            return true;
        }
        if self.slurm {
            for (prefix, to) in [("uid_", 0), ("job_", 1), ("step_", 2)] {
                if let Some(value) = part.strip_prefix(prefix) {
                    let now = self.now();
                    match to {
                        0 => now.user = value.parse().ok(),
                        1 => now.job = Some(value.to_string()),
                        _ => now.step = Some(value.to_string()),
                    }
                    return true;
                }
            }
        }
        let ecs = part.strip_prefix("ecstasks-").and_then(|task| task.strip_suffix(".slice"));
        if let Some(task) = ecs.or((self.above == "ecs").then_some(part)) {
            self.set(WorkloadKind::Job, Some("Amazon ECS"));
            self.now().job = Some(task.to_string());
            return true;
        }
        if self.now_job_of("Amazon ECS") && is_id(part, 12) {
            self.set(WorkloadKind::Container, Some("Amazon ECS"));
            self.now().container_id = Some(part.to_string());
            return true;
        }
        let nomad = self.found.as_ref().and_then(|found| found.slice.as_deref()).is_some_and(|s| s == "nomad.slice");
        if let Some((id, task)) = part.strip_suffix(".scope").and_then(|scope| scope.split_once('.')) {
            if nomad || (id.len() == 36 && is_id(&id.replace('-', ""), 32)) {
                self.set(WorkloadKind::Job, Some("Nomad"));
                let now = self.now();
                (now.job, now.step, now.unit) = (Some(id.to_string()), Some(task.to_string()), Some(part.to_string()));
                return true;
            }
        }
        // `condor_var_lib_condor_execute_slot1_1@host`: the folder of the slot, and the slot.
        if let Some((_, slot)) = part.strip_prefix("condor_").and_then(|folder| folder.rsplit_once("_slot")) {
            self.set(WorkloadKind::Job, Some("HTCondor"));
            self.now().job = Some(format!("slot{slot}"));
            return true;
        }
        if ["jobid", "pbs_jobs", "pbspro"].contains(&self.above.as_str()) {
            self.set(WorkloadKind::Job, Some("PBS"));
            self.now().job = Some(part.to_string());
            return true;
        }
        false
    }

    fn now_job_of(&self, runtime: &str) -> bool {
        self.is(WorkloadKind::Job) && self.found.as_ref().is_some_and(|found| found.runtime == Some(runtime))
    }

    /// systemd's own slices, scopes and services.
    // Long: one decision, a paragraph for each kind of unit.
    fn unit(&mut self, part: &str) -> bool {
        if let Some(name) = part.strip_suffix(".slice") {
            if let Some(id) = name.strip_prefix("machine-libpod_pod_") {
                self.set(WorkloadKind::Pod, Some("Podman"));
                self.now().pod_uid = Some(id.to_string());
            } else if self.found.as_ref().is_none_or(|found| found.kind == WorkloadKind::Slice) {
                self.set(WorkloadKind::Slice, Some("systemd"));
            }
            if let Some(user) = name.strip_prefix("user-").and_then(|user| user.parse().ok()) {
                self.set(WorkloadKind::User, Some("systemd"));
                self.now().user = Some(user);
            }
            let now = self.now();
            (now.slice, now.below) = (Some(part.to_string()), None);
            return true;
        }
        let plain = unescaped(part);
        if let Some(machine) = plain.strip_prefix("machine-").and_then(|name| name.strip_suffix(".scope")) {
            // libvirt: `qemu-NUMBER-NAME`, `lxc-NUMBER-NAME`; systemd-nspawn: `NAME`.
            let of = |kind: &str| machine.strip_prefix(kind)?.split_once('-').filter(|(id, _)| is_number(id));
            let (kind, runtime, name) = match (of("qemu-"), of("lxc-")) {
                (Some((_, name)), _) => (WorkloadKind::VirtualMachine, "libvirt", name),
                (_, Some((_, name))) => (WorkloadKind::Container, "libvirt", name),
                _ => (WorkloadKind::Container, "systemd-nspawn", machine),
            };
            self.set(kind, Some(runtime));
            let now = self.now();
            (now.name, now.unit) = (Some(name.to_string()), Some(part.to_string()));
            return true;
        }
        if let Some(id) = part.strip_suffix(".scope").filter(|id| self.above == "qemu.slice" && is_number(id)) {
            self.set(WorkloadKind::VirtualMachine, Some("Proxmox"));
            let now = self.now();
            (now.name, now.unit) = (Some(id.to_string()), Some(part.to_string()));
            return true;
        }
        if let Some(scope) = part.strip_suffix(".scope") {
            match scope.strip_prefix("session-") {
                Some(session) => {
                    self.set(WorkloadKind::Session, Some("systemd"));
                    self.now().session = Some(session.to_string());
                }
                None => {
                    self.set(WorkloadKind::Scope, Some("systemd"));
                    self.now().name = application(&plain);
                }
            }
            self.now().unit = Some(part.to_string());
            return true;
        }
        if part.ends_with(".service") || (part.contains('.') && part.ends_with(".socket")) {
            self.set(WorkloadKind::Service, Some("systemd"));
            let user = part.strip_prefix("user@").and_then(|rest| rest.strip_suffix(".service"));
            if let Some(user) = user.and_then(|user| user.parse().ok()) {
                self.set(WorkloadKind::User, Some("systemd"));
                self.now().user = Some(user);
            }
            let now = self.now();
            (now.unit, now.name) = (Some(part.to_string()), application(&plain));
            return true;
        }
        false
    }

    /// A folder whose groups are workloads, while none of them is reached.
    fn folder(&mut self, part: &str) -> bool {
        let known =
            ["ecs", "pbs_jobs", "pbspro", "jobid"].contains(&part) || FOLDERS.iter().any(|(one, _)| *one == part);
        known && self.found.as_ref().is_none_or(|found| found.below.is_none())
    }
}

/// The application of a desktop's or a snap's unit: `app-gnome-firefox-1234.scope`, `snap.firefox.firefox-….scope`.
fn application(unit: &str) -> Option<String> {
    let name = unit.rsplit_once('.').map_or(unit, |(name, _)| name);
    if let Some(snap) = name.strip_prefix("snap.") {
        return snap.split('.').next().map(str::to_string);
    }
    let name = name.strip_prefix("app-")?;
    let name = name.strip_prefix("gnome-").or_else(|| name.strip_prefix("flatpak-")).unwrap_or(name);
    let name = name.rsplit_once('-').filter(|(_, pid)| is_number(pid)).map_or(name, |(name, _)| name);
    Some(name.split('@').next().unwrap_or(name).to_string())
}

/// A systemd name with its `\x2d` put back.
fn unescaped(name: &str) -> String {
    String::from_utf8_lossy(&unescape(name)).into_owned()
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Hexadecimal digits, and perhaps dashes, at least so many.
pub(super) fn is_id(text: &str, least: usize) -> bool {
    text.len() >= least && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}
