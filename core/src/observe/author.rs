//! Who ended a process by a signal: the answer to "exit status 137, who did it?".

use serde::Serialize;

use crate::text::escape;

/// What kind of author a fatal signal has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub enum Author {
    /// The kernel's OOM killer.
    #[serde(rename = "kernel-oom")]
    KernelOom,
    /// The kernel, for another reason: a fault, `RLIMIT_CPU`, the end of a pid namespace, a terminal.
    #[serde(rename = "kernel")]
    Kernel,
    /// Another process, which is named as far as it could be read.
    #[serde(rename = "process")]
    Process,
    /// A write to `cgroup.kill` of its group or of a group above; the writer is named as far as it could be read.
    #[serde(rename = "cgroup.kill")]
    CgroupKill,
    /// systemd(1), such as by the stop of a unit.
    #[serde(rename = "systemd")]
    Systemd,
    /// systemd-oomd(8).
    #[serde(rename = "systemd-oomd")]
    SystemdOomd,
    /// earlyoom(1).
    #[serde(rename = "earlyoom")]
    Earlyoom,
    /// The kubelet.
    #[serde(rename = "kubelet")]
    Kubelet,
    /// A container's runtime or its manager: containerd, CRI-O, Docker, Podman, runc, crun.
    #[serde(rename = "container-runtime")]
    ContainerRuntime,
    /// memoom, because it was asked to: `kill()` or a timeout.
    #[serde(rename = "memoom")]
    Memoom,
    /// The process itself: abort(3), raise(3), its own timer.
    #[serde(rename = "self")]
    Itself,
    /// Nobody knows; the reason says why.
    #[serde(rename = "unknown")]
    Unknown,
}

impl Author {
    /// The name as it stands in documents.
    pub fn name(self) -> &'static str {
        match self {
            Author::KernelOom => "kernel-oom",
            Author::Kernel => "kernel",
            Author::Process => "process",
            Author::CgroupKill => "cgroup.kill",
            Author::Systemd => "systemd",
            Author::SystemdOomd => "systemd-oomd",
            Author::Earlyoom => "earlyoom",
            Author::Kubelet => "kubelet",
            Author::ContainerRuntime => "container-runtime",
            Author::Memoom => "memoom",
            Author::Itself => "self",
            Author::Unknown => "unknown",
        }
    }

    /// The author of a name in a document.
    pub(crate) fn of_name(name: &str) -> Option<Author> {
        use Author::{
            CgroupKill, ContainerRuntime, Earlyoom, Itself, Kernel, KernelOom, Kubelet, Memoom, Process, Systemd,
            SystemdOomd, Unknown,
        };
        let all = [
            KernelOom,
            Kernel,
            Process,
            CgroupKill,
            Systemd,
            SystemdOomd,
            Earlyoom,
            Kubelet,
            ContainerRuntime,
            Memoom,
            Itself,
            Unknown,
        ];
        all.into_iter().find(|author| author.name() == name)
    }

    /// Which of the known authors a process of that name is, by what its unit says too where there is one.
    pub(crate) fn known(comm: &[u8], unit: Option<&str>) -> Option<Author> {
        const RUNTIMES: [&[u8]; 10] = [
            b"runc",
            b"crun",
            b"youki",
            b"conmon",
            b"crio",
            b"containerd",
            b"dockerd",
            b"docker",
            b"podman",
            b"nerdctl",
        ];
        let unit_is = |names: &[&str]| unit.is_none_or(|unit| names.contains(&unit));
        Some(match comm {
            b"systemd-oomd" if unit_is(&["systemd-oomd.service"]) => Author::SystemdOomd,
            b"earlyoom" if unit_is(&["earlyoom.service"]) => Author::Earlyoom,
            b"kubelet" => Author::Kubelet,
            b"systemd" => Author::Systemd,
            // Names are cut after 15 bytes, and runc's stages carry theirs in brackets.
            _ if comm.starts_with(b"containerd-shim") || comm.starts_with(b"runc:[") => Author::ContainerRuntime,
            _ if RUNTIMES.contains(&comm) => Author::ContainerRuntime,
            _ => return None,
        })
    }
}

/// Who sent the signal that ended a process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct KilledBy {
    /// What kind of author it was.
    pub by: Author,
    /// The process that sent it, or in whose context the kernel did; null where that is not known.
    pub pid: Option<i32>,
    /// Its name, read while it was still there.
    #[serde(serialize_with = "crate::text::maybe_bytes")]
    pub comm: Option<Vec<u8>>,
    /// Its user.
    pub uid: Option<u32>,
    /// Its group, as the kernel writes its path.
    pub group: Option<String>,
    /// The systemd unit in which it stood.
    pub unit: Option<String>,
    /// The number of the signal.
    pub signal: i32,
    /// When it was sent, in nanoseconds of CLOCK_MONOTONIC.
    pub at_ns: Option<u64>,
    /// Who says so: `tracefs`, `kernel-log`, `counters`, `procfs`, `memoom`, `record`; null where nobody does.
    pub source: Option<&'static str>,
    /// What it was for, in words, or why it is unknown.
    pub reason: Option<String>,
}

impl KilledBy {
    pub(crate) fn new(by: Author, signal: i32) -> KilledBy {
        KilledBy {
            by,
            pid: None,
            comm: None,
            uid: None,
            group: None,
            unit: None,
            signal,
            at_ns: None,
            source: None,
            reason: None,
        }
    }

    pub(crate) fn unknown(signal: i32, reason: impl Into<String>) -> KilledBy {
        KilledBy { reason: Some(reason.into()), ..KilledBy::new(Author::Unknown, signal) }
    }

    pub(crate) fn source(self, source: &'static str) -> KilledBy {
        KilledBy { source: Some(source), ..self }
    }

    pub(crate) fn because(self, reason: impl Into<String>) -> KilledBy {
        KilledBy { reason: Some(reason.into()), ..self }
    }

    /// Who it was, in a few words: `bash (pid 7, uid 0, in /user.slice)`, `the kernel's OOM killer`.
    pub fn to_text(&self) -> String {
        let reason = self.reason.as_deref();
        let with = |text: String| match reason {
            Some(reason) => format!("{text}: {reason}"),
            None => text,
        };
        match self.by {
            Author::KernelOom => with("the kernel's OOM killer".to_string()),
            Author::Kernel => with("the kernel".to_string()),
            Author::Memoom => with("memoom".to_string()),
            Author::Itself => with("the process itself".to_string()),
            Author::Unknown => format!("unknown because {}", reason.unwrap_or("no source says anything")),
            Author::CgroupKill => with(format!("cgroup.kill of a group that holds it, written by {}", self.who())),
            Author::Process
            | Author::Systemd
            | Author::SystemdOomd
            | Author::Earlyoom
            | Author::Kubelet
            | Author::ContainerRuntime => with(self.who()),
        }
    }

    fn who(&self) -> String {
        let mut known: Vec<String> = Vec::new();
        known.extend(self.pid.map(|pid| format!("pid {pid}")));
        known.extend(self.uid.map(|uid| format!("uid {uid}")));
        known.extend(match (&self.unit, &self.group) {
            (Some(unit), _) => Some(format!("unit {unit}")),
            (None, Some(group)) => Some(format!("in {group}")),
            (None, None) => None,
        });
        let name = self.comm.as_deref().map_or_else(|| "a process".to_string(), escape);
        match known.is_empty() {
            true => name,
            false => format!("{name} ({})", known.join(", ")),
        }
    }
}

/// The systemd unit of a group's path: the innermost service or scope in it.
pub(crate) fn unit_of(cgroup: &str) -> Option<&str> {
    cgroup.rsplit('/').find(|part| part.ends_with(".service") || part.ends_with(".scope"))
}

/// The name of a signal, as `kill -l` has it.
pub(crate) fn signal_name(number: i32) -> String {
    nix::sys::signal::Signal::try_from(number)
        .map_or_else(|_| format!("signal {number}"), |signal| signal.as_str().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_it_was_in_a_few_words() {
        let process = KilledBy {
            pid: Some(7),
            comm: Some(b"ba\nsh".to_vec()),
            uid: Some(0),
            group: Some("/g".to_string()),
            ..KilledBy::new(Author::Process, 9)
        };
        assert_eq!(process.to_text(), "ba\\x0ash (pid 7, uid 0, in /g)");
        let unit = KilledBy { unit: Some("a.service".to_string()), ..process.clone() };
        assert_eq!(unit.to_text(), "ba\\x0ash (pid 7, uid 0, unit a.service)");
        assert_eq!(KilledBy::new(Author::Process, 9).to_text(), "a process");
        assert_eq!(KilledBy::new(Author::Kernel, 9).because("why").to_text(), "the kernel: why");
        assert_eq!(KilledBy::unknown(9, "it is dark").to_text(), "unknown because it is dark");
        let killed = KilledBy { by: Author::CgroupKill, ..process };
        assert_eq!(
            killed.to_text(),
            "cgroup.kill of a group that holds it, written by ba\\x0ash (pid 7, uid 0, in /g)"
        );
    }

    #[test]
    fn the_names_of_documents_are_those_of_the_variants() {
        for author in [
            Author::KernelOom,
            Author::Kernel,
            Author::Process,
            Author::CgroupKill,
            Author::Systemd,
            Author::SystemdOomd,
            Author::Earlyoom,
            Author::Kubelet,
            Author::ContainerRuntime,
            Author::Memoom,
            Author::Itself,
            Author::Unknown,
        ] {
            assert_eq!(serde_json::to_value(author).unwrap(), author.name());
            assert_eq!(Author::of_name(author.name()), Some(author));
        }
    }

    #[test]
    fn a_daemon_is_known_by_its_name_and_its_unit() {
        assert_eq!(Author::known(b"earlyoom", None), Some(Author::Earlyoom));
        assert_eq!(Author::known(b"earlyoom", Some("earlyoom.service")), Some(Author::Earlyoom));
        assert_eq!(Author::known(b"earlyoom", Some("session-1.scope")), None, "somebody's program of that name");
        assert_eq!(Author::known(b"systemd-oomd", Some("systemd-oomd.service")), Some(Author::SystemdOomd));
        assert_eq!(Author::known(b"containerd-shim", None), Some(Author::ContainerRuntime));
        assert_eq!(Author::known(b"runc:[2:INIT]", None), Some(Author::ContainerRuntime));
        assert_eq!(Author::known(b"bash", Some("ssh.service")), None);
    }

    #[test]
    fn the_unit_is_the_innermost_service_or_scope() {
        assert_eq!(unit_of("/system.slice/ssh.service"), Some("ssh.service"));
        assert_eq!(unit_of("/user.slice/user-0.slice/user@0.service/app.slice/x.scope/below"), Some("x.scope"));
        assert_eq!(unit_of("/lab/g"), None);
        assert_eq!(unit_of("/"), None);
    }
}
