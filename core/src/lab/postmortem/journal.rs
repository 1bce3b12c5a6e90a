//! What systemd-journald has kept of the kernel's log, where the kernel's own buffer does not reach back: `journalctl -k`.

use std::io::{self, Read};
use std::process::{Command, Stdio};

use crate::account::postmortem::Found;
use crate::observe::missing::Missing;
use crate::observe::report::{parse_reports, Report};
use crate::sys::room;

/// The most records that are asked for: the last ones.
const MOST_LINES: &str = "--lines=100000";

/// Adds the reports of this boot that the kernel's own buffer no longer has. Without a journal there is nothing to add.
pub(super) fn read(found: &mut Found) {
    match ask() {
        Ok((true, text, _)) => add(found, &text),
        Ok((false, _, why)) => {
            let why = String::from_utf8_lossy(&why);
            let why = why.lines().next().filter(|line| !line.is_empty()).unwrap_or("it failed");
            found.missing.push(Missing::new("journal", format!("journalctl: {}", crate::text::escape(why.as_bytes()))));
        }
        // Most containers and small systems have none, and the kernel's own log is as good.
        Err(_) if found.log_begins_usec.is_some() => {}
        Err(error) => found.missing.push(Missing::new("journal", format!("journalctl cannot be run: {error}"))),
    }
}

/// Whether it succeeded, what it wrote, and its complaints. The calls of the standard library that do all of that end in a
/// panic where there is no memory for the text.
fn ask() -> io::Result<(bool, Vec<u8>, Vec<u8>)> {
    let mut asked = Command::new("journalctl")
        .args(["-k", "-b", "-q", "--no-pager", "-o", "short-monotonic", MOST_LINES])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .env("LC_ALL", "C")
        .spawn()?;
    let (mut text, mut why) = (Vec::new(), Vec::new());
    // What it complains of fits into a pipe.
    let read = asked.stdout.take().map_or(Ok(0), |mut from| from.read_to_end(&mut text)).and_then(|_| room::left());
    let read = read.and_then(|()| asked.stderr.take().map_or(Ok(0), |from| from.take(4096).read_to_end(&mut why)));
    if read.is_err() {
        asked.kill()?;
    }
    let status = asked.wait()?;
    read.map(|_| (status.success(), text, why))
}

fn add(found: &mut Found, text: &[u8]) {
    let begins = found.log_begins_usec.unwrap_or(u64::MAX);
    let older = |report: &Report| report.time_usec.is_none_or(|usec| usec < begins);
    let mut reports: Vec<Report> = parse_reports(text).into_iter().filter(older).collect();
    reports.append(&mut found.reports);
    found.reports = reports;
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] = b"[   10.000000] host kernel: a invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0\n\
        [   10.000001] host kernel: oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/pod,task_memcg=/pod/one,task=a,pid=501,uid=0\n\
        [   10.000002] host kernel: Memory cgroup out of memory: Killed process 501 (a) total-vm:2400kB, anon-rss:400kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:48kB oom_score_adj:0\n";

    #[test]
    fn the_journal_adds_what_the_buffer_no_longer_has() {
        for (begins, added) in [(None, 1), (Some(50_000_000), 1), (Some(1_000_000), 0)] {
            let mut found = Found { log_begins_usec: begins, ..Found::default() };
            add(&mut found, TEXT);
            assert_eq!(found.reports.len(), added, "{begins:?}");
        }
    }
}
