//! C's accounts and outcomes read with C's getters, field by field.
#![allow(unsafe_code)] // rows and strings are pointers

use std::ffi::{c_char, CStr};

use memoom_capi::*;

use super::face::{Account, Blocked, Counters, Ended};

/// A borrowed string of the library.
pub fn text(string: *const c_char) -> Option<String> {
    // SAFETY: the library gives NULL or a string that its owner, which our caller holds, keeps.
    (!string.is_null()).then(|| unsafe { CStr::from_ptr(string) }.to_str().expect("UTF-8").to_string())
}

/// A borrowed row of the library.
pub fn row<'a, T>(row: *const T) -> Option<&'a T> {
    // SAFETY: the library gives NULL or a row that its owner, which our caller holds, keeps.
    unsafe { row.as_ref() }
}

pub fn known(number: u64) -> Option<u64> {
    (number != MEMOOM_UNKNOWN).then_some(number)
}

/// A limit; none where there is no limit.
pub fn limited(bytes: u64) -> Option<u64> {
    (bytes != MEMOOM_UNLIMITED).then_some(bytes)
}

/// The rows of a list, until the getter gives NULL; as many as the count says.
pub fn rows<T, R>(count: usize, at: impl Fn(usize) -> *const T, read: impl Fn(&T) -> R) -> Vec<R> {
    let rows: Vec<R> = (0..).map_while(|index| row(at(index)).map(&read)).collect();
    assert_eq!(rows.len(), count, "count and rows agree");
    assert!(at(usize::MAX).is_null());
    rows
}

pub fn counters(counters: &memoom_counters) -> Counters {
    assert_eq!(counters.struct_size, std::mem::size_of::<memoom_counters>());
    Counters {
        usage_bytes: known(counters.usage_bytes),
        oom_kill: known(counters.oom_kill),
        oom_group_kill: known(counters.oom_group_kill),
        failcnt: known(counters.failcnt),
        max: known(counters.max),
        under_oom: known(counters.under_oom),
        oom_kill_disable: known(counters.oom_kill_disable),
    }
}

pub fn candidate(one: &memoom_candidate) -> (i32, String, i64, bool) {
    assert_eq!(one.reason.is_null(), one.eligible == 1);
    (one.pid, text(one.comm).unwrap(), one.score, one.eligible == 1)
}

// Long: one literal, an entry for each field.
pub fn account(oom: &memoom_oom) -> Account {
    let it = Some(oom);
    let cause = |cause| match cause {
        MEMOOM_CAUSE_SELECTED => "selected",
        MEMOOM_CAUSE_GROUP => "group",
        MEMOOM_CAUSE_SHARED_MM => "shared-mm",
        _ => "other",
    };
    let victim = |one: &memoom_victim| {
        assert_eq!(memoom_oom_killed(it, one.pid), 1);
        (one.pid, text(one.comm).unwrap(), cause(one.cause).to_string())
    };
    let frames = rows(
        memoom_oom_frame_count(it),
        |index| memoom_oom_frame_at(it, index),
        |frame| {
            assert_eq!(frame.step.is_null(), frame.explanation.is_null());
            (text(frame.function).unwrap(), text(frame.step))
        },
    );
    let blocked = |at: usize, one: &memoom_blocked| Blocked {
        pid: one.pid,
        state: char::from_u32(one.state).unwrap(),
        wchan: text(one.wchan),
        stack: rows(
            memoom_oom_blocked_frame_count(it, at),
            |frame| memoom_oom_blocked_frame_at(it, at, frame),
            |frame| text(frame.function).unwrap(),
        ),
    };
    // SAFETY: the name is a string.
    let victim_marked_ns = known(unsafe { memoom_oom_timing_ns(it, c"victim_marked".as_ptr()) });
    Account {
        limit_group: text(memoom_oom_limit_group(it)),
        limit_bytes: known(memoom_oom_limit_bytes(it)).and_then(limited),
        usage_before: known(memoom_oom_usage_before(it)),
        usage_after: known(memoom_oom_usage_after(it)),
        invoker: row(memoom_oom_invoker(it)).map(|one| one.pid),
        predicted: row(memoom_oom_predicted(it)).map(|one| (one.pid, text(one.comm).unwrap(), one.score)),
        predicted_right: match memoom_oom_predicted_right(it) {
            -1 => None,
            right => Some(right == 1),
        },
        candidates: rows(memoom_oom_candidate_count(it), |index| memoom_oom_candidate_at(it, index), candidate),
        victims: rows(memoom_oom_victim_count(it), |index| memoom_oom_victim_at(it, index), victim),
        chosen: row(memoom_oom_victim(it)).map(|one| one.pid),
        before: counters(row(memoom_oom_counters_before(it)).unwrap()),
        after: counters(row(memoom_oom_counters_after(it)).unwrap()),
        report_kills: row(memoom_oom_report(it)).map(|report| {
            let it = Some(report);
            rows(memoom_report_kill_count(it), |index| memoom_report_kill_at(it, index), |kill| kill.pid)
        }),
        steps: frames.iter().filter_map(|(_, step)| step.clone()).collect(),
        functions: frames.into_iter().map(|(function, _)| function).collect(),
        blocked: (0..memoom_oom_blocked_count(it))
            .map(|at| blocked(at, row(memoom_oom_blocked_at(it, at)).unwrap()))
            .collect(),
        disagreements: rows(
            memoom_oom_disagreement_count(it),
            |index| memoom_oom_disagreement_at(it, index),
            |one| (text(one.says).unwrap(), text(one.because)),
        ),
        missing: rows(
            memoom_oom_missing_count(it),
            |index| memoom_oom_missing_at(it, index),
            |one| text(one.source).unwrap(),
        ),
        victim_marked_ns,
        json: text(memoom_oom_to_json(it)).unwrap(),
        text: text(memoom_oom_to_text(it)).unwrap(),
    }
}

pub fn ended(outcome: &memoom_outcome) -> Ended {
    let it = Some(outcome);
    let verdict = text(memoom_outcome_verdict_name(it)).unwrap();
    let number = match verdict.as_str() {
        "oom-killed" => MEMOOM_VERDICT_OOM_KILLED,
        "killed" => MEMOOM_VERDICT_KILLED,
        "exited" => MEMOOM_VERDICT_EXITED,
        "timeout" => MEMOOM_VERDICT_TIMEOUT,
        _ => MEMOOM_VERDICT_OTHER,
    };
    assert_eq!(memoom_outcome_verdict(it), number, "{verdict}");
    Ended {
        verdict,
        oom_killed: memoom_outcome_oom_killed(it) == 1,
        returncode: memoom_outcome_returncode(it),
        pid: memoom_outcome_pid(it),
        ooms: rows(memoom_outcome_oom_count(it), |index| memoom_outcome_oom_at(it, index), account),
        has_own_oom: !memoom_outcome_oom(it).is_null(),
        evidence: rows(
            memoom_outcome_evidence_count(it),
            |index| memoom_outcome_evidence_at(it, index),
            |one| (text(one.source).unwrap(), text(one.says).unwrap()),
        ),
        json: text(memoom_outcome_to_json(it)).unwrap(),
    }
}
