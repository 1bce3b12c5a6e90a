//! The host as a document and as a text for a person.

use std::fmt::Write;
use std::os::unix::ffi::OsStrExt;

use nix::unistd::geteuid;
use serde::Serialize;

use crate::lab::host::place::Manager;
use crate::lab::host::{Hierarchy, Host};
use crate::memcg::version::Version;

impl Host {
    /// The form of this document.
    pub const SCHEMA: &'static str = "memoom.host/1";

    /// The host as one JSON document; beside what was found, `lab` says whether a lab can be made here and `refusal`
    /// why not.
    pub fn to_json(&self) -> String {
        #[derive(Serialize)]
        struct Document<'a> {
            schema: &'static str,
            lab: bool,
            refusal: Option<String>,
            next: String,
            #[serde(flatten)]
            host: &'a Host,
        }
        let refusal = self.require_lab().err().map(|error| error.to_string());
        let (lab, next) = (refusal.is_none(), self.next_command());
        crate::text::json(&Document { schema: Host::SCHEMA, lab, refusal, next, host: self })
    }

    /// The one command to type next, here and as this user: a run under a limit, or what comes nearest to it.
    pub fn next_command(&self) -> String {
        const RUN: &str = "memoom run --limit 64M -- COMMAND";
        let mount = self.mount.as_ref().map(|mount| crate::text::escape(mount.as_os_str().as_bytes()));
        match mount {
            // In a scope of the user's systemd's, which the command asks for by itself.
            _ if self.require_lab().is_ok() || self.gets_a_scope() => RUN.to_string(),
            None if self.hierarchy == Hierarchy::None => "mount -t cgroup2 none /sys/fs/cgroup".to_string(),
            None => "memoom report FILE".to_string(),
            // Nothing can be made, and much be seen.
            Some(mount) if self.read_only => format!("memoom watch {mount}"),
            Some(_) if geteuid().is_root() => "memoom observe -- COMMAND".to_string(),
            Some(_) if self.sudo => format!("sudo {RUN}"),
            Some(_) => format!("su -c '{RUN}'"),
        }
    }

    /// Whether the user's own systemd gives a scope in which groups can be made: those of v1 it hands out to nobody.
    fn gets_a_scope(&self) -> bool {
        self.manager == Manager::Users && self.version == Some(Version::V2) && !self.read_only
    }

    /// The host as a person reads it: what is where, each ability with what helps where it is missing, and whether a
    /// lab can be made.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        let hierarchy = match self.hierarchy {
            Hierarchy::V1 => "cgroup v1",
            Hierarchy::V2 => "cgroup v2",
            Hierarchy::Hybrid => "cgroup v1 and v2",
            Hierarchy::None => "none",
        };
        let controller = match (self.version, &self.mount) {
            (Some(version), Some(mount)) => {
                format!("on cgroup {}, at {}", version.name(), crate::text::shown(mount))
            }
            _ => "nowhere".to_string(),
        };
        let _ = writeln!(text, "kernel             {}", self.release);
        let _ = writeln!(text, "hierarchies        {hierarchy}; the memory controller is {controller}");
        let _ = writeln!(text, "own group          {}", self.own_group.as_deref().unwrap_or("unknown"));
        let (available, swap) = (self.available_bytes >> 20, self.swap_total_bytes >> 20);
        let _ = writeln!(text, "memory             {available} MiB available, {swap} MiB of swap on");
        text.push('\n');
        for ability in &self.abilities {
            let mark = if ability.available { '✓' } else { '✗' };
            let _ = writeln!(text, "{mark} {:<20} {}", ability.name, ability.reason);
            if !ability.remedy.is_empty() {
                let _ = writeln!(text, "  {:<20} → {}", "", ability.remedy);
            }
        }
        text.push('\n');
        let _ = match (self.require_lab(), &self.parent) {
            (Ok(()), Some(parent)) => {
                let parent = crate::text::shown(parent);
                writeln!(text, "A lab can be made here, below {parent}.")
            }
            (Ok(()), None) => writeln!(text, "A lab can be made here."),
            // Reason and remedy stand above.
            (Err(_), _) => {
                let needed = ["memory-controller", "create-groups", "own-room"].iter().filter(|name| !self.can(name));
                let lacking: Vec<&str> = needed.copied().collect();
                writeln!(text, "No lab can be made here, for want of {}.", lacking.join(" and "))
            }
        };
        let _ = writeln!(text, "Next: {}", self.next_command());
        text
    }
}
