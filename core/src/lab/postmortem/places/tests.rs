//! Machines made of files, with what is left of their pods, units and jobs.

use std::fs;
use std::path::Path;

use super::*;
use crate::account::postmortem::Postmortem;
use crate::observe::author::Author;
use crate::observe::report::parse_reports;

const ID: &str = "3f5e0a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7";
const UID: &str = "0d8a9c3e-1b2c-4d5e-8f90-a1b2c3d4e5f6";
const POD: &str = "kubepods/burstable/pod0d8a9c3e-1b2c-4d5e-8f90-a1b2c3d4e5f6";

/// A machine with cgroup v2, whose groups are given with their limits, OOMs at them, and kills inside.
fn machine(groups: &[(&str, &str, u64, u64)]) -> (tempfile::TempDir, Host) {
    let tree = tempfile::tempdir().unwrap();
    let file = |path: &str, text: &str| {
        let path = tree.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    file("proc/self/mountinfo", "30 1 0:30 / /sys/fs/cgroup rw - cgroup2 none rw\n");
    file("proc/self/cgroup", "0::/\n");
    file("sys/fs/cgroup/cgroup.controllers", "memory\n");
    file("sys/fs/cgroup/cgroup.procs", "");
    for (group, limit, oom, kills) in groups {
        let of = |name: &str| format!("sys/fs/cgroup/{group}/{name}");
        file(&of("cgroup.procs"), "");
        file(&of("memory.max"), &format!("{limit}\n"));
        file(&of("memory.current"), "4096\n");
        file(&of("memory.events"), &format!("low 0\nhigh 0\nmax 9\noom {oom}\noom_kill {kills}\n"));
        file(&of("memory.events.local"), &format!("low 0\nhigh 0\nmax 9\noom {oom}\noom_kill 0\n"));
    }
    let host = Host::probe_at(tree.path()).unwrap();
    (tree, host)
}

fn node() -> (tempfile::TempDir, Host) {
    machine(&[
        ("kubepods", "max", 0, 2),
        ("kubepods/burstable", "max", 0, 2),
        (POD, "67108864", 2, 2),
        (&format!("{POD}/{ID}"), "max", 0, 2),
        (&format!("{POD}/3f5e0a1b2c3d{}", &ID[12..].replace('7', "6")), "16777216", 0, 0),
        ("system.slice", "max", 0, 0),
        ("system.slice/web.service", "33554432", 0, 0),
        ("system.slice/slurmstepd.scope/job_42/step_0/user", "max", 0, 1),
        ("system.slice/slurmstepd.scope/job_42/step_0", "max", 0, 1),
        ("system.slice/slurmstepd.scope/job_42", "1048576", 1, 1),
        ("system.slice/slurmstepd.scope", "max", 0, 1),
    ])
}

fn ask(subject: &Subject, host: &Host, log: &str) -> Result<Postmortem> {
    let mut found =
        Found { reports: parse_reports(log.as_bytes()), log_begins_usec: Some(1_000_000), ..Found::default() };
    find(subject, host, &mut found)?;
    Ok(Postmortem::of(subject, &found))
}

fn says(answer: &Postmortem) -> Vec<&str> {
    answer.evidence.iter().map(|one| one.says.as_str()).collect()
}

#[test]
fn the_counters_of_a_group_and_of_those_above_it_tell_whose_limit() {
    let (_tree, host) = node();
    let pod = ask(&Subject::Pod(UID.to_string()), &host, "").unwrap();
    assert_eq!(pod.killed_by.by, Author::KernelOom, "{}", pod.to_text());
    let container = ask(&Subject::Container(ID.to_string()), &host, "").unwrap();
    assert_eq!(container.killed_by.by, Author::KernelOom, "{}", container.to_text());
    let groups: Vec<&str> = container.groups.iter().map(|one| one.group.as_str()).collect();
    assert_eq!(groups[1..3], [format!("/{POD}"), "/kubepods/burstable".to_string()], "the innermost first");
    assert!(says(&container).contains(&format!("/{POD}: limit 64M, oom 2, oom_kill 2").as_str()), "{container:?}");
    let step = ask(&Subject::slurm("42.0"), &host, "").unwrap();
    assert_eq!(step.killed_by.by, Author::KernelOom);
    let at = says(&step).into_iter().find(|says| says.contains("job_42: ")).unwrap().to_string();
    assert!(at.ends_with("job_42: limit 1M, oom 1, oom_kill 1"), "{at}");
    assert_eq!(ask(&Subject::slurm("42"), &host, "").unwrap().killed_by.by, Author::KernelOom);
}

#[test]
fn what_was_not_counted_is_unknown_with_the_reason() {
    let (_tree, host) = node();
    let quiet = ask(&Subject::Unit("web.service".to_string()), &host, "").unwrap();
    let why = |answer: &Postmortem| answer.killed_by.reason.clone().unwrap();
    assert_eq!(quiet.killed_by.by, Author::Unknown);
    assert!(why(&quiet).starts_with("the kernel has counted no OOM kill there"), "{}", why(&quiet));
    let gone = ask(&Subject::slurm("43"), &host, "").unwrap();
    assert_eq!((gone.killed_by.by, gone.groups.len()), (Author::Unknown, 0));
    assert!(why(&gone).starts_with("no group of it is there any more below /"), "{}", why(&gone));
    // A file that cannot be read is no zero.
    let events = host.mount.as_ref().unwrap().join("system.slice/web.service/memory.events");
    fs::remove_file(&events).unwrap();
    fs::create_dir(&events).unwrap();
    let unread = ask(&Subject::Unit("web.service".to_string()), &host, "").unwrap();
    assert_eq!(unread.missing.len(), 1, "{unread:?}");
    assert!(why(&unread).contains("tells of no OOM kill there"), "{}", why(&unread));
}

#[test]
fn a_beginning_that_several_have_is_refused_and_the_log_knows_who_has_gone() {
    let (_tree, host) = node();
    let several = ask(&Subject::Container(ID[..12].to_string()), &host, "").unwrap_err();
    assert_eq!(several.kind(), ErrorKind::InvalidInput);
    assert!(several.to_string().contains(ID), "{several}");
    let log = "[   10.000000] a invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0\n\
        [   10.000001] oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,\
        oom_memcg=/docker,task_memcg=/docker/beef0a1b2c3d,task=a,pid=501,uid=0\n\
        [   10.000002] Memory cgroup out of memory: Killed process 501 (a) total-vm:2400kB, anon-rss:400kB, \
        file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:48kB oom_score_adj:0\n";
    let gone = ask(&Subject::Container("beef".to_string()), &host, log).unwrap();
    assert_eq!((gone.killed_by.by, gone.victim.as_ref().unwrap().pid), (Author::KernelOom, 501));
    assert_eq!(gone.limit_group.as_deref(), Some("/docker"));
    assert!(gone.to_full_text().len() > gone.to_text().len());
    // A job is the same wherever its group stood; units of one name may be several users'.
    let at = |path: &str| log.replace("/docker/beef0a1b2c3d", path);
    let job = ask(&Subject::slurm("42"), &host, &at("/slurm/uid_7/job_42/step_0")).unwrap();
    assert_eq!(job.victim.map(|victim| victim.pid), Some(501));
    let unit = Subject::Unit("web.service".to_string());
    let other = ask(&unit, &host, &at("/user.slice/user-7.slice/user@7.service/app.slice/web.service"));
    assert_eq!(other.unwrap_err().kind(), ErrorKind::InvalidInput);
    assert_eq!(ask(&unit, &host, &at("/system.slice/web.service")).unwrap().victim.map(|victim| victim.pid), Some(501));
    assert_eq!(ask(&Subject::Container("dead".to_string()), &host, log).unwrap().killed_by.by, Author::Unknown);
}

#[test]
fn without_a_memory_controller_the_log_alone_speaks() {
    let tree = tempfile::tempdir().unwrap();
    fs::create_dir_all(tree.path().join("proc/self")).unwrap();
    fs::write(tree.path().join("proc/self/mountinfo"), "").unwrap();
    fs::write(tree.path().join("proc/self/cgroup"), "").unwrap();
    let host = Host::probe_at(Path::new(tree.path())).unwrap();
    let answer = ask(&Subject::slurm("42"), &host, "").unwrap();
    assert_eq!((answer.killed_by.by, answer.missing[0].source), (Author::Unknown, "counters"));
}
