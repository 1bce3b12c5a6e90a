//! A live account is the same document from the C face as from the core, and its parts say what the document says.
#![allow(clippy::unwrap_used, clippy::print_stderr)] // a failure is the report

use std::ffi::{c_char, CStr};
use std::time::Duration;

use memoom::{Command, Lab, Limits, Run};
use serde_json::Value;

use super::*;
use crate::account::oom::lists::{memoom_oom_victim_at, memoom_oom_victim_count};
use crate::account::oom::{
    memoom_oom_limit_bytes, memoom_oom_limit_group, memoom_oom_missing_at, memoom_oom_missing_count, memoom_oom_report,
    memoom_oom_to_json, memoom_oom_to_text, memoom_oom_usage_after, memoom_oom_usage_before,
};
use crate::ffi::{MEMOOM_UNKNOWN, MEMOOM_UNLIMITED};
use crate::observe::report::memoom_report_to_json;

fn string(pointer: *const c_char) -> Option<String> {
    // SAFETY: a string of an account that the caller keeps, as the library promises.
    (!pointer.is_null()).then(|| unsafe { CStr::from_ptr(pointer) }.to_str().unwrap().to_string())
}

#[test]
fn a_live_account_is_one_document() {
    if let Err(error) = Lab::new() {
        assert!(
            std::env::var_os("MEMOOM_REQUIRE").is_none_or(|value| value != "1"),
            "live tests are required: {error}"
        );
        eprintln!("skipped: {error}");
        return;
    }
    let eats = ["sh", "-c", "x=aaaaaaaaaaaaaaaa; while :; do x=$x$x; done"];
    let run = Run { command: Command::new(eats), limits: Limits::bytes(16 << 20), ..Run::default() };
    let outcome = run.run(Duration::from_secs(60)).unwrap();
    let core = outcome.clone();
    assert!(core.oom_killed && !core.ooms.is_empty(), "{}", core.to_text());
    let face = memoom_outcome::new(outcome);
    assert_eq!(string(memoom_outcome_to_json(Some(&face))).unwrap(), core.to_json());
    assert_eq!(string(memoom_outcome_to_text(Some(&face))).unwrap(), core.to_text());
    assert_eq!(memoom_outcome_oom_count(Some(&face)), core.ooms.len());
    assert_eq!(memoom_outcome_peak_bytes(Some(&face)), core.peak_bytes.unwrap_or(MEMOOM_UNKNOWN));
    for (at, oom) in core.ooms.iter().enumerate() {
        // SAFETY: the outcome's own, and it lives.
        let one = unsafe { memoom_outcome_oom_at(Some(&face), at).as_ref() };
        let json = string(memoom_oom_to_json(one)).unwrap();
        assert_eq!(json, oom.to_json());
        assert_eq!(core.to_json().matches(&json).count(), 1, "an account is the same document wherever it stands");
        assert_eq!(string(memoom_oom_to_text(one)).unwrap(), oom.to_text());
        // SAFETY: the account's own, and it lives.
        let report = unsafe { memoom_oom_report(one).as_ref() };
        assert_eq!(
            report.map(|it| string(memoom_report_to_json(Some(it))).unwrap()),
            oom.report.as_ref().map(|it| it.to_json())
        );
        holds_what_it_says(one, &json);
    }
    memoom_outcome_free(Some(face));
}

/// The getters of an account, against its document.
fn holds_what_it_says(one: Option<&memoom_oom>, json: &str) {
    let document: Value = serde_json::from_str(json).unwrap();
    let number = |value: &Value, absent: u64| value.as_u64().unwrap_or(absent);
    assert_eq!(string(memoom_oom_limit_group(one)).as_deref(), document["limit_group"].as_str());
    assert_eq!(memoom_oom_limit_bytes(one), number(&document["limit_bytes"], MEMOOM_UNLIMITED));
    let usage = &document["usage_bytes"];
    assert_eq!(memoom_oom_usage_before(one), number(&usage["before"], MEMOOM_UNKNOWN));
    assert_eq!(memoom_oom_usage_after(one), number(&usage["after"], MEMOOM_UNKNOWN));
    let victims = document["victims"].as_array().unwrap();
    assert_eq!(memoom_oom_victim_count(one), victims.len());
    for (at, victim) in victims.iter().enumerate() {
        // SAFETY: as above.
        let row = unsafe { memoom_oom_victim_at(one, at).as_ref() }.unwrap();
        assert_eq!(
            (Some(i64::from(row.pid)), string(row.comm).as_deref()),
            (victim["pid"].as_i64(), victim["comm"].as_str())
        );
    }
    let missing = document["missing"].as_array().unwrap();
    assert_eq!(memoom_oom_missing_count(one), missing.len());
    for (at, value) in missing.iter().enumerate() {
        // SAFETY: as above.
        let row = unsafe { memoom_oom_missing_at(one, at).as_ref() }.unwrap();
        assert_eq!(string(row.source).as_deref(), value["source"].as_str());
        assert_eq!(string(row.reason).as_deref(), value["reason"].as_str());
    }
}
