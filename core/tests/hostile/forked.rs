//! A forked child has copies of its parent's objects, and can do nothing with them.
#![allow(unsafe_code)] // fork

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::FromRawFd;
use std::time::{Duration, Instant};

use memoom::{
    Alarm, Command, ErrorKind, Function, Group, GrowStatus, Hog, HogOptions, Lab, Limit, Limits, Pace, Peak, Resume,
    Watch, Worker,
};

use super::common::{lab, slow, LONG};

/// What the parent has.
struct Things {
    lab: Lab,
    group: Group,
    opened: Group,
    hog: Hog,
    ticker: Worker,
    peak: Option<Peak>,
    watch: Watch,
    opened_watch: Watch,
}

fn kind<T>(result: memoom::Result<T>) -> Result<ErrorKind, String> {
    match result {
        Ok(_) => Err("it succeeded".to_string()),
        Err(error) => Ok(error.kind()),
    }
}

macro_rules! calls {
    ($($name:expr => $call:expr,)*) => {
        vec![$(($name, kind($call)),)*]
    };
}

impl Things {
    /// Every call that can fail, by its name.
    // Long: one table, a line for each call.
    fn call_each(&mut self) -> Vec<(&'static str, Result<ErrorKind, String>)> {
        let Things { lab, group, opened, hog, ticker, peak, watch, opened_watch } = self;
        let limits = Limits::default();
        let soon = Duration::from_millis(1);
        let mut seen = calls! {
            "lab.group" => lab.group(Some("of a child"), &limits),
            "lab.group_named" => lab.group_named(b"of a child", &limits),
            "group.child" => group.child("of a child", &limits),
            "group.hog" => group.hog(&HogOptions::default()),
            "group.ticker" => group.ticker("ticker", Duration::from_secs(1)),
            "group.command" => group.command(&Command::new(["true"])),
            // SAFETY: nothing is forked, as the call is refused.
            "group.function" => unsafe { group.function(&Function::default(), || 0) },
            "group.oom_now" => group.oom_now(None, None, soon),
            "group.usage_bytes" => group.usage_bytes(),
            "group.peak_bytes" => group.peak_bytes(),
            "group.open_peak" => group.open_peak(),
            "group.counters" => group.counters(),
            "group.composition" => group.composition(),
            "group.processes" => group.processes(),
            "group.stat" => group.stat(),
            "group.pressure" => group.pressure(),
            "group.sample" => group.sample(),
            "group.limit" => group.limit(),
            "group.set_limit" => group.set_limit(Limit::Bytes(1 << 20)),
            "group.high" => group.high(),
            "group.set_high" => group.set_high(Limit::Bytes(1 << 20)),
            "group.min" => group.min(),
            "group.set_min" => group.set_min(Limit::Bytes(1 << 20)),
            "group.low" => group.low(),
            "group.set_low" => group.set_low(Limit::Bytes(1 << 20)),
            "group.swap" => group.swap(),
            "group.set_swap" => group.set_swap(Limit::Max),
            "group.swap_usage_bytes" => group.swap_usage_bytes(),
            "group.zswap" => group.zswap(),
            "group.set_zswap" => group.set_zswap(Limit::Max),
            "group.oom_killer" => group.oom_killer(),
            "group.set_oom_killer" => group.set_oom_killer(false),
            "group.oom_group" => group.oom_group(),
            "group.set_oom_group" => group.set_oom_group(true),
            "group.reclaim" => group.reclaim(1 << 20),
            "group.force_empty" => group.force_empty(),
            "group.reset_failcnt" => group.reset_failcnt(),
            "group.freeze" => group.freeze(soon),
            "group.thaw" => group.thaw(),
            "group.frozen" => group.frozen(),
            "group.block" => group.block(),
            "group.blocking" => group.blocking(),
            "group.blocked" => group.blocked(),
            "group.resume" => group.resume(Resume::Killer, soon),
            "group.add_alarm" => group.add_alarm(&Alarm::Threshold { bytes: 1 << 20 }),
            "group.predict" => group.predict(),
            "group.watch" => group.watch(),
            "group.watch_recursive" => group.watch_recursive(),
            "group.record" => group.record("/nowhere/recording"),
            "group.give_back" => group.give_back(),
            "group.kill" => group.kill(),
            "group.remove" => group.remove(),
            "hog.grow" => hog.grow(None, soon),
            "hog.finish" => hog.finish(soon),
            "hog.shrink" => hog.shrink(4096, soon),
            "hog.pace" => hog.pace(&Pace::default(), soon),
            "hog.wait_blocked" => hog.wait_blocked(Instant::now() + soon),
            "worker.state" => ticker.state(),
            "worker.wait" => ticker.wait(soon),
            "worker.signal" => ticker.signal(libc::SIGTERM),
            "worker.kill" => ticker.kill(),
            "hog.kill" => hog.kill(),
            "watch.next" => watch.next(soon),
            "watch.next at once" => watch.next(Duration::ZERO),
            "watch.wait_oom" => watch.wait_oom(soon),
            "watch.keep_record" => watch.keep_record("/nowhere/at/all", 1 << 20),
            "opened watch.keep_record" => opened_watch.keep_record("/nowhere/at/all", 1 << 20),
            "opened.usage_bytes" => opened.usage_bytes(),
            "opened.counters" => opened.counters(),
            "opened.limit" => opened.limit(),
            "opened.watch" => opened.watch(),
            "opened.set_limit" => opened.set_limit(Limit::Max),
            "opened watch.next" => opened_watch.next(soon),
            "opened watch.wait_oom" => opened_watch.wait_oom(soon),
            "lab.close" => lab.close(),
        };
        if let Some(peak) = peak {
            seen.extend(calls! {
                "peak.bytes" => peak.bytes(),
                "peak.reset" => peak.reset(),
            });
        }
        seen
    }
}

/// Runs `body` in a forked child, and gives what it says.
fn in_a_child(body: impl FnOnce() -> String) -> String {
    let mut ends = [0; 2];
    // SAFETY: two numbers of ours. This program has one thread, so that the child may do what it likes.
    let pid = unsafe {
        assert_eq!(libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC), 0);
        libc::fork()
    };
    // SAFETY: the two ends are ours, each used by one of the processes.
    let [mut from, mut to] = ends.map(|fd| unsafe { File::from_raw_fd(fd) });
    if pid == 0 {
        let said = std::panic::catch_unwind(std::panic::AssertUnwindSafe(body)).unwrap_or("a panic".to_string());
        let _ = to.write_all(said.as_bytes());
        // SAFETY: ends the child, and none of the parent's doings at exit.
        unsafe { libc::_exit(0) };
    }
    drop(to);
    let mut said = String::new();
    from.read_to_string(&mut said).unwrap();
    // SAFETY: a child of ours.
    assert_eq!(unsafe { libc::waitpid(pid, std::ptr::null_mut(), 0) }, pid);
    said
}

pub fn a_child_acts_on_nothing_of_its_parents() {
    let Some(lab) = lab() else { return };
    let group = lab.group(Some("parents"), &Limits::bytes(32 << 20)).unwrap();
    let opened = Group::open(group.path()).unwrap();
    let hog = group.hog(&HogOptions::named("parents")).unwrap();
    let ticker = group.ticker("parents", Duration::from_millis(1)).unwrap();
    let (watch, opened_watch, peak) = (group.watch().unwrap(), opened.watch().unwrap(), group.open_peak().ok());
    hog.grow(Some(4 << 20), LONG).unwrap();
    let mut things = Things { lab, group, opened, hog, ticker, peak, watch, opened_watch };
    let (groups, limit) = (things.lab.groups().len(), things.group.limit().unwrap());
    let said = in_a_child(|| {
        let seen = things.call_each();
        let wrong = seen.into_iter().filter(|(_, kind)| *kind != Ok(ErrorKind::Closed));
        let mut said: Vec<String> = wrong.map(|(name, kind)| format!("{name}: {kind:?}")).collect();
        // What cannot fail says nothing of the parent's that might have changed.
        said.extend(things.hog.blocked().map(|_| "hog.blocked".to_string()));
        said.extend((!things.lab.groups().is_empty()).then(|| "lab.groups".to_string()));
        said.extend((!things.lab.timeline().events.is_empty()).then(|| "lab.timeline".to_string()));
        said.extend((things.ticker.ended() || things.ticker.ticks() > 0).then(|| "worker".to_string()));
        // Its copies go, and with them nothing of the parent's.
        // SAFETY: the child ends without touching the original again.
        drop(unsafe { std::ptr::read(&raw const things) });
        said.join("\n")
    });
    assert_eq!(said, "", "in a forked child");
    // The parent's lab is as it was, and hears everything.
    assert_eq!((things.lab.groups().len(), things.group.limit().unwrap()), (groups, limit));
    assert!(!things.hog.ended() && !things.ticker.ended());
    let before = things.ticker.ticks();
    while things.ticker.ticks() == before {
        things.watch.next(LONG).unwrap();
    }
    while things.hog.grow(Some(4 << 20), LONG).unwrap().status == GrowStatus::Grew {}
    for (whose, watch) in [("own", &mut things.watch), ("opened", &mut things.opened_watch)] {
        let oom = watch.wait_oom(LONG).unwrap().unwrap_or_else(|| panic!("{whose}: no account"));
        // An observer that looks this late may not know any more where the victim stood.
        assert!(whose == "opened" || oom.killed(things.hog.pid()), "{whose}: {}", oom.to_text());
        let lost: Vec<_> = oom.missing.iter().filter(|missing| missing.source == "supervisor").collect();
        assert!(lost.is_empty(), "{whose}: {lost:?}");
    }
    assert!(things.hog.wait(LONG).unwrap().oom_killed);
    things.lab.close().unwrap();
    assert!(!things.lab.path().exists());
}

extern "C" fn nothing(_: libc::c_int) {}

/// A signal every 2 ms while `body` runs, which interrupts each system call that waits; on a slow machine less often, as
/// it would come to nothing else.
fn under_alarms(body: impl FnOnce()) {
    let every = |usec| {
        let time = libc::timeval { tv_sec: 0, tv_usec: usec };
        let timer = libc::itimerval { it_interval: time, it_value: time };
        // SAFETY: a structure of ours; no place for the old one.
        unsafe { libc::setitimer(libc::ITIMER_REAL, &raw const timer, std::ptr::null_mut()) };
    };
    // SAFETY: a handler that does nothing, without SA_RESTART; zeroes are a valid action.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = nothing as *const () as usize;
        libc::sigaction(libc::SIGALRM, &raw const action, std::ptr::null_mut());
    }
    every(if slow() { 50_000 } else { 2000 });
    body();
    every(0);
}

pub fn threads_share_a_hog_under_signals() {
    let Some(lab) = lab() else { return };
    let group = lab.group(Some("shared"), &Limits::bytes(64 << 20)).unwrap();
    let mut counts = std::collections::BTreeMap::new();
    under_alarms(|| {
        for round in 0..60 {
            let hog = group.hog(&HogOptions::named("shared")).unwrap();
            let results: Vec<Vec<String>> = std::thread::scope(|scope| {
                let steps = || {
                    let mut said = Vec::new();
                    loop {
                        match hog.grow(Some(64 << 10), LONG) {
                            Ok(grow) => said.push(grow.status.name().to_string()),
                            // One step at a time; the other's may be finished, by whoever likes.
                            Err(error) if error.kind() == ErrorKind::Busy => match hog.finish(LONG) {
                                Ok(grow) => said.push(format!("finish: {}", grow.status.name())),
                                Err(error) => said.push(format!("finish: {}", error.kind())),
                            },
                            Err(error) => {
                                said.push(error.kind().to_string());
                                return said;
                            }
                        }
                        if said.last().is_some_and(|last| last.ends_with("killed")) {
                            return said;
                        }
                    }
                };
                let steppers = [scope.spawn(steps), scope.spawn(steps)];
                let waiter = scope.spawn(|| {
                    vec![match hog.wait(LONG) {
                        Ok(outcome) => format!("wait: {}", outcome.verdict.name()),
                        Err(error) => format!("wait: {}", error.kind()),
                    }]
                });
                std::thread::sleep(Duration::from_millis(round % 7));
                hog.kill().unwrap();
                steppers.into_iter().chain([waiter]).map(|thread| thread.join().unwrap()).collect()
            });
            for result in results.into_iter().flatten() {
                *counts.entry(result).or_insert(0) += 1;
            }
        }
    });
    println!("{counts:?}");
    // A step that was answered between the two calls is nobody's any more; all else is what is promised.
    let promised = ["grew", "killed", "worker-gone", "finish: grew", "finish: killed", "finish: invalid-input"];
    for (result, count) in &counts {
        let fine = promised.contains(&result.as_str()) || *result == "wait: killed";
        assert!(fine, "{count} times {result}: {counts:?}");
    }
    assert_eq!(counts["wait: killed"], 60);
    lab.close().unwrap();
}
