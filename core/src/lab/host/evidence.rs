//! What this host lets be seen of an OOM, and of what a worker may do to its own chances.

use std::fs;
use std::path::Path;

use crate::error::{Error, ErrorKind, Result};
use crate::lab::host::{below, own, read_or_empty, Host};
use crate::observe::kmsg::KernelLog;
use crate::observe::task::machine_pids;
use crate::observe::tracefs::Tracefs;

impl Host {
    pub(super) fn look_at_evidence(&mut self, root: &Path) {
        let kmsg = below(root, Path::new("/dev/kmsg"));
        self.say(
            "kernel-log",
            match kernel_log(root, &kmsg) {
                Ok(()) => Ok("/dev/kmsg can be read".to_string()),
                Err(error) => {
                    let remedy = error.help().unwrap_or("run with CAP_SYSLOG (or kernel.dmesg_restrict=0)");
                    let remedy = format!("{remedy}; accounts then lack the kernel's report");
                    Err((format!("/dev/kmsg cannot be read: {}", error.why()), remedy))
                }
            },
        );
        let remedy = match machine_pids() {
            true => "run as root with tracefs (CONFIG_FTRACE) mounted",
            false => "run in the first pid namespace, in a container with --pid=host",
        };
        self.say(
            "tracefs",
            tracefs(root).map_err(|error| {
                // Who lacks the right gets nothing by a mount alone.
                let denied = error.kind() == ErrorKind::PermissionDenied;
                let remedy = error.help().filter(|_| !denied).unwrap_or(remedy);
                (error.why(), format!("{remedy}; accounts then take the call path from the kernel's report"))
            }),
        );
        let stack = own(root, "stack");
        self.say(
            "task-stack",
            match fs::read(stack) {
                Ok(_) => Ok("/proc/PID/stack can be read".to_string()),
                Err(error) => Err((
                    format!("/proc/PID/stack cannot be read: {}", Error::os("read stack", error).why()),
                    "run as root (CAP_SYS_ADMIN); a blocked task is then shown by its state and wait channel alone"
                        .to_string(),
                )),
            },
        );
        let status = read_or_empty(root, own(root, "status"));
        let capable =
            status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("CapEff:")?.trim(), 16).ok());
        const CAP_SYS_RESOURCE: u32 = 24;
        self.say(
            "lower-oom-score-adj",
            match capable {
                Some(capable) if capable >> CAP_SYS_RESOURCE & 1 == 1 => {
                    Ok("oom_score_adj can be lowered (CAP_SYS_RESOURCE)".to_string())
                }
                Some(_) => Err((
                    "oom_score_adj can be raised but not lowered below its start value".to_string(),
                    "run with CAP_SYS_RESOURCE".to_string(),
                )),
                None => Err((
                    "whether oom_score_adj can be lowered is unknown: /proc/self/status cannot be read".to_string(),
                    "mount /proc".to_string(),
                )),
            },
        );
    }
}

fn kernel_log(root: &Path, path: &Path) -> Result<()> {
    if root == Path::new("/") {
        return KernelLog::open().map(drop);
    }
    fs::File::open(path).map(drop).map_err(|error| Error::os("open the kernel log", error))
}

/// Where tracefs is. The kernel gives it to the rightful also where it is not mounted.
fn tracefs(root: &Path) -> Result<String> {
    if root != Path::new("/") {
        let path = below(root, Path::new("/sys/kernel/tracing/instances"));
        return fs::metadata(&path)
            .map(|_| "mounted".to_string())
            .map_err(|error| Error::os("find tracefs", error).path(path));
    }
    let found = Tracefs::find()?;
    if !machine_pids() {
        let reason = "this process is in a pid namespace, and tracefs names processes as they are outside";
        return Err(Error::new(ErrorKind::Unsupported, "use tracefs", reason));
    }
    Ok(match found.mount_point() {
        Some(point) => format!("mounted at {}", crate::text::shown(point)),
        None => "not mounted; reached by a mount of our own that nobody else sees".to_string(),
    })
}
