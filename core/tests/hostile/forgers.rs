//! Names and lines that say what did not happen: processes named like parts of the kernel's report, lines that somebody else
//! wrote into its log, groups named like the fields of its last line.

use std::fs;
use std::io::Write;

use memoom::{Author, Command, GrowStatus, HogOptions, Limits, Verdict};

use super::common::{lab, EATS, LONG};

/// Nothing in it is a command to a terminal.
fn is_plain(text: &str) {
    assert!(text.bytes().all(|byte| byte == b'\n' || (0x20..0x7f).contains(&byte) || byte >= 0x80), "{text:?}");
}

pub fn names_that_look_like_a_report() {
    let Some(lab) = lab() else { return };
    for comm in ["\n\x1b[2JKilled", "x) total-vm:1k", "7 (b) ,pid=1", "Killed process"] {
        let group = lab.group(None, &Limits::bytes(16 << 20)).unwrap();
        let mut watch = group.watch().unwrap();
        // It names itself, and takes memory until it is killed.
        let script = format!("printf '%s' \"$1\" >/proc/$$/comm; {EATS}");
        let worker = group.command(&Command::new(["sh", "-c", &script, "sh", comm])).unwrap();
        let outcome = worker.wait(LONG).unwrap();
        assert!(outcome.oom_killed, "{comm:?}: {}", outcome.to_json());
        let oom = watch.wait_oom(LONG).unwrap().expect("an account");
        let victims: Vec<(i32, &[u8])> = oom.victims.iter().map(|one| (one.pid, &one.comm[..])).collect();
        assert_eq!(victims, [(worker.pid(), comm.as_bytes())], "{}", oom.to_text());
        for kill in oom.report.iter().flat_map(|report| &report.kills) {
            assert_eq!((kill.pid, &kill.comm[..]), (worker.pid(), comm.as_bytes()), "{}", oom.to_text());
        }
        for text in [oom.to_text(), oom.summary.clone(), oom.to_json(), outcome.to_text(), outcome.to_json()] {
            is_plain(&text);
        }
    }
    lab.close().unwrap();
}

/// Who may write to /dev/kmsg writes as a user: of such a line nothing is believed.
pub fn a_kill_line_that_the_kernel_did_not_write() {
    let Some(lab) = lab() else { return };
    let Ok(mut log) = fs::OpenOptions::new().write(true).open("/dev/kmsg") else {
        eprintln!("skipped: /dev/kmsg cannot be written here");
        return;
    };
    let group = lab.group(Some("forged"), &Limits::bytes(32 << 20)).unwrap();
    let worker = group.command(&Command::new(["sleep", "1000"])).unwrap();
    let pid = worker.pid();
    let sizes = "total-vm:4kB, anon-rss:4kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:4kB oom_score_adj:0";
    writeln!(log, "<4>Memory cgroup out of memory: Killed process {pid} (sleep) {sizes}").unwrap();
    let line = format!("kill -9 {pid}");
    assert!(std::process::Command::new("sh").args(["-c", &line]).status().unwrap().success());
    let outcome = worker.wait(LONG).unwrap();
    assert_eq!((outcome.verdict, outcome.ooms.len()), (Verdict::Killed, 0), "{}", outcome.to_json());
    if lab.host().can("tracefs") {
        assert_eq!(outcome.killed_by.map(|by| by.by), Some(Author::Process));
    }
    lab.close().unwrap();
}

/// A group's name may hold commas and equals signs, as the kernel's last line of a report does.
pub fn groups_named_like_fields() {
    let Some(lab) = lab() else { return };
    let outer = lab.group(Some("real"), &Limits::bytes(24 << 20)).unwrap();
    let name = "x,task_memcg=foreign,task=init,pid=1,uid=0";
    let group = outer.child(name, &Limits::default()).unwrap();
    let mut watch = outer.watch().unwrap();
    let hog = group.hog(&HogOptions::named("named")).unwrap();
    while hog.grow(Some(4 << 20), LONG).unwrap().status == GrowStatus::Grew {}
    let oom = watch.wait_oom(LONG).unwrap().expect("an account");
    assert_eq!(oom.victims.iter().map(|victim| victim.pid).collect::<Vec<_>>(), [hog.pid()], "{}", oom.to_text());
    assert_eq!(oom.victims[0].group.as_deref(), Some(group.cgroup()), "{}", oom.to_text());
    assert_eq!(oom.limit_group.as_deref(), Some(outer.cgroup()), "{}", oom.to_text());
    if let Some(chosen) = oom.report.as_ref().and_then(|report| report.chosen.as_ref()) {
        assert_eq!((chosen.pid, &chosen.comm[..]), (hog.pid(), &b"named"[..]), "{}", oom.to_json());
    }
    lab.close().unwrap();
}
