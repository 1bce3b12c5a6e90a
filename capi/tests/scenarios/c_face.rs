//! The face of `<memoom.h>`: the exported functions, called as C calls them.
#![allow(unsafe_code)] // C's functions take C's pointers

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::ptr;
use std::time::Duration;

use memoom_capi::*;

use super::c_account::{account, candidate, counters, ended, known, limited, rows, text};
use super::c_call::{c, call, done, filled, list, made, ns, Owned};
use super::face::{Account, Arrived, At, Counters, Ended, Face, Got, Happened, Output, Predicted, Settings, Step};

pub struct C;

fn limit(bytes: Option<Option<u64>>) -> u64 {
    bytes.map_or(MEMOOM_UNCHANGED, |bytes| bytes.unwrap_or(MEMOOM_UNLIMITED))
}

fn switch(on: Option<bool>) -> memoom_switch {
    match on {
        None => MEMOOM_SWITCH_UNCHANGED,
        Some(true) => MEMOOM_ON,
        Some(false) => MEMOOM_OFF,
    }
}

fn group_options(settings: &Settings) -> memoom_group_options {
    let Settings { limit: hard, high, oom_group, oom_killer } = *settings;
    memoom_group_options {
        limit_bytes: limit(hard),
        high_bytes: limit(high),
        oom_group: switch(oom_group),
        oom_killer: switch(oom_killer),
        ..memoom_group_options::default()
    }
}

fn step(grow: &memoom_grow) -> Step {
    Step {
        status: match grow.status {
            MEMOOM_GROW_GREW => "grew",
            MEMOOM_GROW_KILLED => "killed",
            MEMOOM_GROW_BLOCKED => "blocked",
            MEMOOM_GROW_SHORT => "short",
            _ => "other",
        }
        .to_string(),
        step_bytes: grow.step_bytes,
        taken_bytes: grow.taken_bytes,
        errno: grow.error_number,
        total_bytes: grow.total_bytes,
        blocked_state: (grow.blocked_state != 0).then(|| char::from_u32(grow.blocked_state).unwrap()),
    }
}

impl Face for C {
    type Lab = Owned<memoom_lab>;
    type Group = Owned<memoom_group>;
    type Worker = Owned<memoom_worker>;
    type Watch = Owned<memoom_watch>;

    fn lab() -> Got<Self::Lab> {
        // SAFETY: NULL is the defaults.
        made(memoom_lab_free, |lab, error| unsafe { memoom_lab_create(ptr::null(), lab, error) })
    }
    fn lab_below(parent: &Path) -> Got<Self::Lab> {
        let parent = c(parent.as_os_str().as_bytes());
        let options = memoom_lab_options { parent: parent.as_ptr(), ..memoom_lab_options::default() };
        // SAFETY: options of their size, with a string that we hold.
        made(memoom_lab_free, |lab, error| unsafe { memoom_lab_create(&options, lab, error) })
    }
    fn version(lab: &Self::Lab) -> u32 {
        memoom_lab_version(lab.get())
    }
    fn lab_path(lab: &Self::Lab) -> PathBuf {
        PathBuf::from(text(memoom_lab_path(lab.get())).unwrap())
    }
    fn available_bytes() -> u64 {
        let host = made(memoom_host_free, |host, error| memoom_host_probe(host, error)).unwrap();
        memoom_host_available_bytes(host.get())
    }
    fn close(lab: &Self::Lab) -> Got<()> {
        done(|error| memoom_lab_close(lab.get(), error))
    }
    fn timeline(lab: &Self::Lab) -> Got<(Vec<String>, String)> {
        let timeline = made(memoom_timeline_free, |timeline, error| memoom_lab_timeline(lab.get(), timeline, error))?;
        let it = timeline.get();
        let kinds = rows(
            memoom_timeline_event_count(it),
            |index| memoom_timeline_event_at(it, index),
            |event| text(memoom_event_kind(Some(event))).unwrap(),
        );
        Ok((kinds, text(memoom_timeline_to_json(it)).unwrap()))
    }

    fn group(lab: &Self::Lab, name: &[u8], settings: &Settings) -> Got<Self::Group> {
        let (name, options) = (c(name), group_options(settings));
        // SAFETY: a string and options of their size, which we hold.
        made(memoom_group_free, |group, error| unsafe {
            memoom_group_create(lab.get(), name.as_ptr(), &options, group, error)
        })
    }
    fn child(group: &Self::Group, name: &[u8], settings: &Settings) -> Got<Self::Group> {
        let (name, options) = (c(name), group_options(settings));
        // SAFETY: as above.
        made(memoom_group_free, |child, error| unsafe {
            memoom_group_create_child(group.get(), name.as_ptr(), &options, child, error)
        })
    }
    fn open(path: &Path) -> Got<Self::Group> {
        let path = c(path.as_os_str().as_bytes());
        // SAFETY: a string that we hold.
        made(memoom_group_free, |group, error| unsafe { memoom_group_open(path.as_ptr(), group, error) })
    }
    fn group_name(group: &Self::Group) -> String {
        text(memoom_group_name(group.get())).unwrap()
    }
    fn group_path(group: &Self::Group) -> PathBuf {
        // SAFETY: a string that the group keeps.
        let path = unsafe { std::ffi::CStr::from_ptr(memoom_group_path(group.get())) };
        PathBuf::from(OsStr::from_bytes(path.to_bytes()))
    }
    fn cgroup(group: &Self::Group) -> String {
        text(memoom_group_cgroup(group.get())).unwrap()
    }
    fn limit(group: &Self::Group) -> Got<Option<u64>> {
        Ok(limited(call(|bytes, error| memoom_group_limit(group.get(), bytes, error))?))
    }
    fn set_limit(group: &Self::Group, bytes: Option<u64>) -> Got<()> {
        done(|error| memoom_group_set_limit(group.get(), bytes.unwrap_or(MEMOOM_UNLIMITED), error))
    }
    fn set_high(group: &Self::Group, bytes: Option<u64>) -> Got<()> {
        done(|error| memoom_group_set_high(group.get(), bytes.unwrap_or(MEMOOM_UNLIMITED), error))
    }
    fn oom_killer(group: &Self::Group) -> Got<bool> {
        Ok(call(|on, error| memoom_group_oom_killer(group.get(), on, error))? == MEMOOM_ON)
    }
    fn set_oom_killer(group: &Self::Group, on: bool) -> Got<()> {
        done(|error| memoom_group_set_oom_killer(group.get(), switch(Some(on)), error))
    }
    fn oom_group(group: &Self::Group) -> Got<bool> {
        Ok(call(|on, error| memoom_group_oom_group(group.get(), on, error))? == MEMOOM_ON)
    }
    fn set_oom_group(group: &Self::Group, on: bool) -> Got<()> {
        done(|error| memoom_group_set_oom_group(group.get(), switch(Some(on)), error))
    }
    fn usage(group: &Self::Group) -> Got<u64> {
        call(|bytes, error| memoom_group_usage(group.get(), bytes, error))
    }
    fn peak(group: &Self::Group) -> Got<Option<u64>> {
        Ok(known(call(|bytes, error| memoom_group_peak(group.get(), bytes, error))?))
    }
    fn counters(group: &Self::Group) -> Got<Counters> {
        // SAFETY: a struct of its size.
        Ok(counters(&filled(|out, error| unsafe { memoom_group_counters(group.get(), out, error) })?))
    }
    fn processes(group: &Self::Group) -> Got<Vec<i32>> {
        let ask = |pids: &mut [i32]| {
            // SAFETY: room for no pid, and then for as many as we say.
            call(|count, error| unsafe {
                memoom_group_processes(group.get(), pids.as_mut_ptr(), pids.len(), count, error)
            })
        };
        let mut pids = vec![0; ask(&mut [])? + 16];
        let count = ask(&mut pids)?;
        pids.truncate(count);
        Ok(pids)
    }
    fn predict(group: &Self::Group) -> Got<Predicted> {
        let prediction = made(memoom_prediction_free, |out, error| memoom_group_predict(group.get(), out, error))?;
        let it = prediction.get();
        assert!(text(memoom_prediction_to_json(it)).unwrap().starts_with('{'));
        let pid = memoom_prediction_pid(it);
        Ok(Predicted {
            pid: (pid != 0).then_some(pid),
            candidates: rows(
                memoom_prediction_candidate_count(it),
                |index| memoom_prediction_candidate_at(it, index),
                candidate,
            ),
        })
    }
    fn kill_group(group: &Self::Group) -> Got<()> {
        done(|error| memoom_group_kill(group.get(), error))
    }
    fn remove(group: &Self::Group) -> Got<()> {
        done(|error| memoom_group_remove(group.get(), error))
    }
    fn sample(group: &Self::Group) -> Got<()> {
        done(|error| memoom_group_sample(group.get(), error))
    }
    fn groups(lab: &Self::Lab) -> Got<Vec<PathBuf>> {
        let at = |index| made(memoom_group_free, |group, error| memoom_lab_group_at(lab.get(), index, group, error));
        let count = memoom_lab_group_count(lab.get());
        assert!(at(count).is_err_and(|failure| failure.message.contains("beyond the last")));
        (0..count).map(|index| Ok(Self::group_path(&at(index)?))).collect()
    }

    fn hog(group: &Self::Group, name: &str) -> Got<Self::Worker> {
        Self::hog_with(group, name, "anon", 10 << 20, 0)
    }
    fn hog_with(group: &Self::Group, name: &str, kind: &str, step_bytes: u64, oom_score_adj: i32) -> Got<Self::Worker> {
        let (name, kind) = (c(name), c(kind));
        let options = memoom_hog_options {
            name: name.as_ptr(),
            kind: kind.as_ptr(),
            step_bytes,
            oom_score_adj,
            ..memoom_hog_options::default()
        };
        // SAFETY: options of their size, with strings that we hold.
        made(memoom_worker_free, |worker, error| unsafe { memoom_hog_spawn(group.get(), &options, worker, error) })
    }
    fn hog_of(group: &Self::Group, kind: &str, pattern: &str, directory: Option<&Path>) -> Got<Self::Worker> {
        let (kind, pattern) = (c(kind), c(pattern));
        let directory = directory.map(|path| c(path.as_os_str().as_bytes()));
        let options = memoom_hog_options {
            kind: kind.as_ptr(),
            pattern: pattern.as_ptr(),
            directory: directory.as_ref().map_or(ptr::null(), |path| path.as_ptr()),
            ..memoom_hog_options::default()
        };
        // SAFETY: options of their size, with strings that we hold.
        made(memoom_worker_free, |worker, error| unsafe { memoom_hog_spawn(group.get(), &options, worker, error) })
    }
    fn ticker(group: &Self::Group, name: &str, every: Duration) -> Got<Self::Worker> {
        let name = c(name);
        let options =
            memoom_ticker_options { name: name.as_ptr(), every_ns: ns(every), ..memoom_ticker_options::default() };
        // SAFETY: options of their size, with a string that we hold.
        made(memoom_worker_free, |worker, error| unsafe { memoom_ticker_spawn(group.get(), &options, worker, error) })
    }
    fn ticker_scored(group: &Self::Group, name: &str, oom_score_adj: i32) -> Got<Self::Worker> {
        let name = c(name);
        let options = memoom_ticker_options { name: name.as_ptr(), oom_score_adj, ..memoom_ticker_options::default() };
        // SAFETY: options of their size, with a string that we hold.
        made(memoom_worker_free, |worker, error| unsafe { memoom_ticker_spawn(group.get(), &options, worker, error) })
    }
    fn command(group: &Self::Group, argv: &[&str], env: Option<&[&str]>, output: Output) -> Got<Self::Worker> {
        let (_argv, argv) = list(argv);
        let env = env.map(list);
        let options = memoom_command_options {
            env: env.as_ref().map_or(ptr::null(), |(_, env)| env.as_ptr()),
            stdout_fd: if output == Output::Null { MEMOOM_FD_NULL } else { MEMOOM_FD_INHERIT },
            ..memoom_command_options::default()
        };
        // SAFETY: lists that end in NULL and options of their size, which we hold.
        made(memoom_worker_free, |worker, error| unsafe {
            memoom_command_spawn(group.get(), argv.as_ptr(), &options, worker, error)
        })
    }
    fn pid(worker: &Self::Worker) -> i32 {
        memoom_worker_pid(worker.get())
    }
    fn worker_name(worker: &Self::Worker) -> String {
        text(memoom_worker_name(worker.get())).unwrap()
    }
    fn state(worker: &Self::Worker) -> Got<char> {
        Ok(char::from_u32(call(|state, error| memoom_worker_state(worker.get(), state, error))?).unwrap())
    }
    fn ended(worker: &Self::Worker) -> bool {
        memoom_worker_ended(worker.get()) == 1
    }
    fn ticks(worker: &Self::Worker) -> u64 {
        memoom_worker_ticks(worker.get())
    }
    fn signal(worker: &Self::Worker, signal: i32) -> Got<()> {
        done(|error| memoom_worker_signal(worker.get(), signal, error))
    }
    fn kill(worker: &Self::Worker) -> Got<()> {
        done(|error| memoom_worker_kill(worker.get(), error))
    }
    fn wait(worker: &Self::Worker, timeout: Duration) -> Got<Ended> {
        let outcome =
            made(memoom_outcome_free, |out, error| memoom_worker_wait(worker.get(), ns(timeout), out, error))?;
        Ok(ended(outcome.get().unwrap()))
    }
    fn grow(worker: &Self::Worker, size: Option<u64>, timeout: Duration) -> Got<Step> {
        let size = size.unwrap_or(MEMOOM_UNCHANGED);
        // SAFETY: a struct of its size.
        Ok(step(&filled(|out, error| unsafe { memoom_hog_grow(worker.get(), size, ns(timeout), out, error) })?))
    }
    fn finish(worker: &Self::Worker, timeout: Duration) -> Got<Step> {
        // SAFETY: a struct of its size.
        Ok(step(&filled(|out, error| unsafe { memoom_hog_finish(worker.get(), ns(timeout), out, error) })?))
    }
    fn pace(worker: &Self::Worker, at: &At<'_>, timeout: Duration) -> Got<Arrived> {
        let until = at.until.map(c);
        let pace = memoom_pace {
            rate_bytes: at.rate.unwrap_or(MEMOOM_UNCHANGED),
            total_bytes: at.total.unwrap_or(MEMOOM_UNCHANGED),
            below_bytes: at.below.unwrap_or(MEMOOM_UNCHANGED),
            until: until.as_ref().map_or(ptr::null(), |until| until.as_ptr()),
            ..memoom_pace::default()
        };
        // SAFETY: a pace of its size, with a string that we hold, and a struct of its size.
        let paced: memoom_paced =
            filled(|out, error| unsafe { memoom_hog_pace(worker.get(), &pace, ns(timeout), out, error) })?;
        let last = memoom_grow { status: paced.status, ..memoom_grow::default() };
        Ok(Arrived {
            stop: match paced.stop {
                MEMOOM_STOP_TOTAL => "total",
                MEMOOM_STOP_BELOW => "below",
                MEMOOM_STOP_EVENT => "event",
                MEMOOM_STOP_STEP => "step",
                _ => "other",
            }
            .to_string(),
            steps: paced.steps,
            total_bytes: paced.total_bytes,
            status: (paced.status != 0).then(|| step(&last).status),
        })
    }
    fn shrink(worker: &Self::Worker, size: u64, timeout: Duration) -> Got<u64> {
        call(|bytes, error| memoom_hog_shrink(worker.get(), size, ns(timeout), bytes, error))
    }

    fn watch(group: &Self::Group) -> Got<Self::Watch> {
        made(memoom_watch_free, |watch, error| memoom_watch_open(group.get(), watch, error))
    }
    fn watch_fd(watch: &Self::Watch) -> i32 {
        memoom_watch_fd(watch.get())
    }
    fn next(watch: &mut Self::Watch, timeout: Duration) -> Got<Option<Happened>> {
        let event = call(|event, error| memoom_watch_next(watch.get(), ns(timeout), event, error))?;
        Ok(event.map(|event| {
            let event = Owned(Some(event), memoom_event_free);
            let it = event.get();
            let pid = memoom_event_pid(it);
            Happened {
                time_ns: memoom_event_time_ns(it),
                source: text(memoom_event_source(it)).unwrap(),
                kind: text(memoom_event_kind(it)).unwrap(),
                pid: (pid != 0).then_some(pid),
                json: text(memoom_event_to_json(it)).unwrap(),
            }
        }))
    }
    fn wait_oom(watch: &mut Self::Watch, timeout: Duration) -> Got<Option<Account>> {
        let oom = call(|oom, error| memoom_watch_wait_oom(watch.get(), ns(timeout), oom, error))?;
        Ok(oom.map(|oom| account(Owned(Some(oom), memoom_oom_free).get().unwrap())))
    }

    fn run(argv: &[&str], limit: u64, timeout: Option<Duration>) -> Got<Ended> {
        let (_argv, argv) = list(argv);
        let options = memoom_run_options {
            limit_bytes: limit,
            timeout_ns: timeout.map_or(MEMOOM_FOREVER, ns),
            ..memoom_run_options::default()
        };
        // SAFETY: a list that ends in NULL and options of their size, which we hold.
        let outcome =
            made(memoom_outcome_free, |out, error| unsafe { memoom_run(argv.as_ptr(), &options, out, error) })?;
        Ok(ended(outcome.get().unwrap()))
    }
    fn parse_size(size: &str) -> Got<Option<u64>> {
        let size = c(size);
        // SAFETY: a string that we hold.
        Ok(limited(call(|bytes, error| unsafe { memoom_parse_size(size.as_ptr(), bytes, error) })?))
    }
}
