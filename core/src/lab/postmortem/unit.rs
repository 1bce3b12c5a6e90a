//! What systemd remembers of a unit that has ended: `systemctl show`.

use std::process::{Command, Stdio};

use crate::account::outcome::Evidence;
use crate::account::postmortem::Found;
use crate::observe::missing::Missing;

/// What is asked for.
const PROPERTIES: &str = "LoadState,ActiveState,Result,ExecMainPID,ExecMainCode,ExecMainStatus,ControlGroup";

/// Asks systemd about the unit; where it is not there, or does not answer, that is noted.
pub(super) fn ask(unit: &str, found: &mut Found) {
    let answer = Command::new("systemctl")
        .args(["show", "--property", PROPERTIES, "--", unit])
        .stdin(Stdio::null())
        .env("LC_ALL", "C")
        .output();
    match answer {
        Ok(done) if done.status.success() => match says(&String::from_utf8_lossy(&done.stdout)) {
            Ok(says) => found.evidence.push(Evidence { source: "systemd", says }),
            Err(why) => found.missing.push(Missing::new("systemd", why)),
        },
        Ok(done) => {
            let why = String::from_utf8_lossy(&done.stderr);
            let why = why.lines().next().filter(|line| !line.is_empty()).unwrap_or("it failed");
            found
                .missing
                .push(Missing::new("systemd", format!("systemctl show: {}", crate::text::escape(why.as_bytes()))));
        }
        Err(error) => found.missing.push(Missing::new("systemd", format!("systemctl cannot be run: {error}"))),
    }
}

/// What the properties say; or why they say nothing.
fn says(properties: &str) -> Result<String, String> {
    let of = |name: &str| {
        let value = properties.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        value.filter(|value| !value.is_empty())
    };
    if of("LoadState").is_none_or(|state| state == "not-found") {
        return Err("it knows no unit of that name".to_string());
    }
    let mut parts: Vec<String> = Vec::new();
    parts.extend(of("ActiveState").map(str::to_string));
    parts.extend(of("Result").map(|result| match result {
        // systemd writes the same for a kill by the kernel and for one by systemd-oomd.
        "oom-kill" => "result oom-kill (by the kernel, or by systemd-oomd)".to_string(),
        result => format!("result {result}"),
    }));
    let pid = of("ExecMainPID").filter(|pid| *pid != "0");
    // CLD_EXITED, CLD_KILLED, CLD_DUMPED of waitid(2).
    let ended = match (of("ExecMainCode"), of("ExecMainStatus")) {
        (Some("1"), Some(status)) => Some(format!("exited with {status}")),
        (Some("2" | "3"), Some(signal)) => Some(match signal.parse() {
            Ok(number) => format!("ended by {}", crate::observe::author::signal_name(number)),
            Err(_) => format!("ended by signal {signal}"),
        }),
        _ => None,
    };
    parts.extend(pid.zip(ended).map(|(pid, ended)| format!("main process {pid} {ended}")));
    Ok(parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_systemd_remembers() {
        let killed = "LoadState=loaded\nActiveState=failed\nResult=oom-kill\nExecMainPID=812\nExecMainCode=2\n\
            ExecMainStatus=9\nControlGroup=\n";
        assert_eq!(
            says(killed).unwrap(),
            "failed, result oom-kill (by the kernel, or by systemd-oomd), main process 812 ended by SIGKILL"
        );
        let running = "LoadState=loaded\nActiveState=active\nResult=success\nExecMainPID=812\nExecMainCode=0\n\
            ExecMainStatus=0\n";
        assert_eq!(says(running).unwrap(), "active, result success");
        let left =
            "LoadState=loaded\nActiveState=failed\nResult=exit-code\nExecMainPID=9\nExecMainCode=1\nExecMainStatus=3\n";
        assert_eq!(says(left).unwrap(), "failed, result exit-code, main process 9 exited with 3");
        assert!(says("LoadState=not-found\nActiveState=inactive\nResult=success\n").is_err());
        assert!(says("").is_err());
    }
}
