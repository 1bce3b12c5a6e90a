//! One process as /proc shows it: texts, a tree of files, and live processes.

use super::super::live;
use super::*;
use crate::ErrorKind;
use std::path::Path;

const STATUS: &[u8] =
    b"Name:\ta\\nb\\\\ c)\nUmask:\t0022\nState:\tD (disk sleep)\nTgid:\t70\nNgid:\t0\nPid:\t71\nPPid:\t1\n\
    Uid:\t1000\t1001\t1002\t1003\nNSpid:\t71\t3\nVmPeak:\t 9 kB\nVmRSS:\t    2048 kB\nRssAnon:\t    1024 kB\n\
    RssFile:\t     512 kB\nRssShmem:\t     512 kB\nVmPTE:\t      44 kB\nVmSwap:\t       8 kB\nThreads:\t2\n\
    SigPnd:\t0000000000040000\nShdPnd:\t0000000000080001\nTracerPid:\t7\nNew:\tx\n";

#[test]
fn a_status_is_read_by_its_keys() {
    let status = parse_status(STATUS);
    assert_eq!(status.comm, b"a\nb\\ c)");
    assert_eq!(status.state, Some(TaskState::DiskSleep));
    assert_eq!((status.tgid, status.ppid, status.uid, status.threads), (Some(70), Some(1), Some(1000), Some(2)));
    assert_eq!(status.ns_pids, [71, 3]);
    assert_eq!((status.vm_rss_bytes, status.rss_anon_bytes), (Some(2048 << 10), Some(1024 << 10)));
    assert_eq!((status.rss_file_bytes, status.rss_shmem_bytes), (Some(512 << 10), Some(512 << 10)));
    assert_eq!((status.vm_pte_bytes, status.vm_swap_bytes), (Some(44 << 10), Some(8 << 10)));
    assert_eq!(
        (status.pending, status.pending_shared, status.traced, status.is_killed()),
        (0x40000, 0x80001, true, false)
    );
    let zombie = parse_status(b"Name:\tx\nState:\tZ (zombie)\n");
    assert_eq!((zombie.state, zombie.vm_rss_bytes), (Some(TaskState::Zombie), None));
}

#[test]
fn a_stat_is_read_from_the_right() {
    let tail = " S 5791 5791 2988 0 -1 4194304 103 0 0 0 0 0 0 0 20 0 1 0 116920 3133440 390 18446744073709551615\n";
    for comm in ["cat", ") R 1 (", "a b", "((", "))"] {
        let stat = parse_stat(format!("5796 ({comm}){tail}").as_bytes()).expect("a stat");
        assert_eq!(stat.comm, comm.as_bytes());
        assert_eq!((stat.state, stat.ppid), (TaskState::Sleeping, 5791));
        assert_eq!((stat.starttime_ticks, stat.rss_pages, stat.exiting), (116_920, 390, false));
        let exiting = tail.replace(" 4194304 ", " 4194308 ");
        assert!(parse_stat(format!("5796 ({comm}){exiting}").as_bytes()).expect("a stat").exiting);
    }
    for bad in [b"".as_slice(), b"1", b"1 (", b"1 (x)", b"1 )x(", b"1 (x) S 1"] {
        assert_eq!(parse_stat(bad), None);
    }
}

#[test]
fn cgroup_paths_may_hold_colons() {
    let paths = parse_cgroup(b"9:name=systemd:/\n4:cpuset,memory:/a:b/c d\n0::/x:y\n");
    assert_eq!(paths.v1_memory.as_deref(), Some(Path::new("/a:b/c d")));
    assert_eq!(paths.v2.as_deref(), Some(Path::new("/x:y")));
    assert_eq!(parse_cgroup(b"3:memory_x:/a\n"), CgroupPaths::default());
}

#[test]
fn every_state_letter_comes_back() {
    for letter in "RSDTtZXIPKW".chars() {
        assert_eq!(TaskState::from_char(letter).char(), letter);
    }
}

#[test]
fn the_stack_decides_and_the_wait_channel_stands_in() {
    use TaskState::{DiskSleep, Running, Sleeping};
    let stack = |names: &[&str]| -> Vec<Frame> {
        let text: String = names.iter().map(|name| format!("[<0>] {name}+0x1/0x2\n")).collect();
        parse_proc_stack(text.as_bytes())
    };
    let wait = stack(&["mem_cgroup_oom_synchronize", "pagefault_out_of_memory", "exc_page_fault"]);
    assert!(blocked_in_memcg_oom(None, &wait, DiskSleep));
    assert!(!blocked_in_memcg_oom(Some("mem_cgroup_oom_synchronize"), &wait, Sleeping));
    assert!(!blocked_in_memcg_oom(None, &wait, Running));
    assert!(blocked_in_memcg_oom(
        None,
        &stack(&["__schedule", "schedule", "mem_cgroup_oom_synchronize.isra.0"]),
        DiskSleep
    ));
    assert!(blocked_in_memcg_oom(None, &stack(&["pagefault_out_of_memory.llvm.12"]), DiskSleep));
    assert!(blocked_in_memcg_oom(Some("mem_cgroup_oom_synchronize"), &[], DiskSleep));
    assert!(!blocked_in_memcg_oom(Some("mem_cgroup_handle_over_high"), &[], DiskSleep));
    assert!(!blocked_in_memcg_oom(None, &[], DiskSleep));
    // A different wait, whatever the channel said a moment before.
    let io = stack(&["io_schedule", "folio_wait_bit", "pagefault_out_of_memory"]);
    assert!(!blocked_in_memcg_oom(Some("mem_cgroup_oom_synchronize"), &io, DiskSleep));
}

#[test]
fn a_fixture_tree_stands_in_for_proc() {
    let tree = tempfile::tempdir().expect("a directory");
    let proc_root = Proc::at(tree.path());
    let dir = tree.path().join("71");
    std::fs::create_dir(&dir).expect("mkdir");
    for (name, text) in [
        ("status", STATUS),
        ("stat", b"71 (x) D 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 9 0 5 0\n".as_slice()),
        ("wchan", b"mem_cgroup_oom_synchronize"),
        ("stack", b"[<0>] mem_cgroup_oom_synchronize+0x1/0x2\n"),
        ("oom_score_adj", b"-998\n"),
        ("cgroup", b"4:memory:/g\n"),
    ] {
        std::fs::write(dir.join(name), text).expect("write");
    }
    let waiting = proc_root.waiting(71).expect("readable").expect("there");
    assert!(waiting.blocked_in_memcg_oom);
    assert_eq!(waiting.wchan.as_deref(), Some("mem_cgroup_oom_synchronize"));
    assert_eq!(proc_root.oom_score_adj(71).expect("readable"), Some(-998));
    assert_eq!(proc_root.status(72).expect("no error"), None);
    assert_eq!(proc_root.waiting(72).expect("no error"), None);
    std::fs::remove_file(dir.join("stack")).expect("rm");
    let error = proc_root.stack(71).expect_err("the process is there, the file is not");
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    // Without a stack the wait channel decides, and the reason is kept.
    let waiting = proc_root.waiting(71).expect("readable").expect("there");
    assert!(waiting.blocked_in_memcg_oom && waiting.stack.is_err());
}

#[test]
fn the_own_process_can_be_read() {
    let system = Proc::system();
    let pid = i32::try_from(std::process::id()).expect("a pid");
    let status = system.status(pid).expect("readable").expect("there");
    assert!(status.vm_rss_bytes.is_some_and(|rss| rss > 0) && status.ns_pids.first() == Some(&pid));
    assert!(system.stat(pid).expect("readable").expect("there").starttime_ticks > 0);
    assert_eq!(system.status(i32::MAX).expect("no error"), None);
}

#[test]
fn a_reaped_process_is_none_and_a_zombie_is_a_zombie() {
    let mut child = std::process::Command::new("true").spawn().expect("true starts");
    let pid = i32::try_from(child.id()).expect("a pid");
    let id = nix::sys::wait::Id::Pid(nix::unistd::Pid::from_raw(pid));
    let flags = nix::sys::wait::WaitPidFlag::WEXITED | nix::sys::wait::WaitPidFlag::WNOWAIT;
    nix::sys::wait::waitid(id, flags).expect("it ends");
    let waiting = Proc::system().waiting(pid).expect("readable").expect("a zombie is there");
    assert_eq!(waiting.state, TaskState::Zombie);
    child.wait().expect("reaped");
    assert_eq!(Proc::system().waiting(pid).expect("no error"), None);
}

#[test]
fn a_hog_blocked_by_the_oom_killer_being_off_is_seen() {
    let Some(group) = live::Group::new("obs-task", 16 << 20) else { return };
    group.set("memory.oom_control", "1");
    let mut hog = group.spawn("exec tail /dev/zero");
    let pid = i32::try_from(hog.id()).expect("a pid");
    let system = Proc::system();
    group.wait_under_oom();
    // under_oom, then D and the stack, are there a moment before the task has left its CPU and has a channel.
    let deadline = std::time::Instant::now() + live::DEADLINE;
    let waiting = loop {
        let waiting = system.waiting(pid).expect("readable").expect("there");
        if waiting.blocked_in_memcg_oom && waiting.wchan.is_some() {
            break waiting;
        }
        assert!(std::time::Instant::now() < deadline, "not seen as blocked: {waiting:?}");
        std::thread::yield_now();
    };
    assert_eq!(waiting.state, TaskState::DiskSleep);
    assert_eq!(waiting.wchan.as_deref(), Some("mem_cgroup_oom_synchronize"));
    let stack = waiting.stack.expect("root may read it");
    assert_eq!(stack.first().map(|frame| frame.function.as_str()), Some("mem_cgroup_oom_synchronize"));
    assert_eq!(stack.first().and_then(Frame::step), Some(super::super::callpath::Step::Wait));
    let cgroup = system.cgroups(pid).expect("readable").expect("there");
    assert_eq!(cgroup.v1_memory.as_deref(), Some(group.relative()));
    hog.kill().expect("a blocked task can be killed");
    hog.wait().expect("reaped");
}
