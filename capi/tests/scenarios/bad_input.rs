//! Bad input gets an error that names operation, path, value and remedy, and nothing is half done.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::face::{Face, Failure, Output, Settings};
use super::{lab, says, LONG, MIB};

/// The cases of one table of `tests/bad_input.json`, which all faces read.
fn cases(table: &str) -> Vec<Value> {
    let tables: Value = serde_json::from_str(include_str!("../../../tests/bad_input.json")).unwrap();
    tables[table].as_array().unwrap_or_else(|| panic!("no table {table}")).clone()
}

/// The failure is that of the case.
fn fails<T>(result: Result<T, Failure>, case: &Value) {
    let parts: Vec<&str> = case["says"].as_array().unwrap().iter().map(|part| part.as_str().unwrap()).collect();
    says(result, case["kind"].as_str().unwrap(), &parts);
}

pub fn names<F: Face>() {
    let Some(lab) = lab::<F>() else { return };
    let settings = Settings::bytes(32 * MIB);
    for case in cases("group names") {
        let name = memoom::unescape(case["name"].as_str().unwrap());
        let name = name.repeat(case["times"].as_u64().unwrap_or(1) as usize);
        fails(F::group(&lab, &name, &settings), &case);
    }
    let group = F::group(&lab, b"caf\xc3\xa9 \xff\\", &settings).unwrap();
    assert!(F::group_path(&group).exists(), "a path is the bytes that it is");
    assert_eq!(F::group_name(&group), "caf\\xc3\\xa9 \\xff\\x5c");
    says(F::group(&lab, b"caf\xc3\xa9 \xff\\", &settings), "already-exists", &["create group", "there already"]);
    assert!(F::group_path(&group).exists(), "the group that had the name stays");
    F::close(&lab).unwrap();
}

pub fn limits<F: Face>() {
    let Some(lab) = lab::<F>() else { return };
    let huge = F::group(&lab, b"huge", &Settings::bytes(1 << 50));
    says(huge, "out-of-memory", &["set limit", "the host has", "remedy", &(1u64 << 50).to_string()]);
    assert!(!F::lab_path(&lab).join("huge").exists(), "nothing half done");
    assert!(F::available_bytes() < 1 << 50);
    let small = F::group(&lab, b"small", &Settings::bytes(64 << 10)).unwrap();
    says(
        F::hog(&small, "hog"),
        "invalid-input",
        &["start hog", "below what a process needs to start", "65536", "small", "remedy"],
    );
    assert_eq!(F::processes(&small).unwrap(), Vec::<i32>::new());
    let free = F::group(&lab, b"free", &Settings::default()).unwrap();
    let hog = F::hog(&free, "hog").unwrap();
    says(F::grow(&hog, None, LONG), "invalid-input", &["grow", "has a limit", "free", "remedy"]);
    F::set_limit(&free, Some(32 * MIB)).unwrap();
    assert_eq!(F::grow(&hog, Some(MIB), LONG).unwrap().total_bytes, MIB, "armed after the start it works");
    says(F::grow(&hog, Some(0), LONG), "invalid-input", &["grow", "0 bytes"]);
    F::close(&lab).unwrap();
}

pub fn switches<F: Face>() {
    let Some(lab) = lab::<F>() else { return };
    let group = F::group(&lab, b"switches", &Settings::bytes(32 * MIB)).unwrap();
    let wrong = if F::version(&lab) == 1 {
        says(
            F::set_oom_group(&group, true),
            "unsupported",
            &["set oom_group", "memory.oom.group", "v2", "switches", "remedy"],
        );
        says(F::set_high(&group, Some(MIB)), "unsupported", &["set high", "memory.high", "v2"]);
        assert!(!F::oom_group(&group).unwrap());
        F::set_oom_killer(&group, false).unwrap();
        assert!(!F::oom_killer(&group).unwrap());
        vec![
            Settings { oom_group: Some(true), ..Settings::bytes(32 * MIB) },
            Settings { high: Some(Some(MIB)), ..Settings::bytes(32 * MIB) },
        ]
    } else {
        says(
            F::set_oom_killer(&group, false),
            "unsupported",
            &["set oom_killer", "memory.oom_control", "v1", "switches", "remedy"],
        );
        says(F::oom_killer(&group), "unsupported", &["read oom_killer", "v1"]);
        F::set_high(&group, Some(16 * MIB)).unwrap();
        F::set_oom_group(&group, true).unwrap();
        assert!(F::oom_group(&group).unwrap());
        vec![Settings { oom_killer: Some(false), ..Settings::bytes(32 * MIB) }]
    };
    for settings in wrong {
        says(F::group(&lab, b"wrong", &settings), "unsupported", &["remedy"]);
        assert!(!F::lab_path(&lab).join("wrong").exists(), "nothing half done");
    }
    F::close(&lab).unwrap();
}

pub fn gone<F: Face>() {
    let Some(lab) = lab::<F>() else { return };
    let settings = Settings::bytes(32 * MIB);
    let group = F::group(&lab, b"gone", &settings).unwrap();
    let hog = F::hog(&group, "hog").unwrap();
    let pid = F::pid(&hog).to_string();
    says(F::remove(&group), "busy", &["remove group", &pid, "remedy"]);
    says(F::wait(&hog, Duration::from_millis(1)), "timed-out", &["wait for worker", &pid]);
    says(F::finish(&hog, LONG), "invalid-input", &["no step"]);
    F::kill(&hog).unwrap();
    assert!(!F::wait(&hog, LONG).unwrap().oom_killed);
    says(F::grow(&hog, None, LONG), "worker-gone", &["grow", "ended", &pid, "remedy"]);
    says(F::shrink(&hog, MIB, LONG), "worker-gone", &["shrink", "ended", &pid]);
    F::kill(&hog).unwrap();
    F::signal(&hog, libc::SIGTERM).unwrap();
    assert_eq!(F::state(&hog).unwrap(), 'X');
    F::remove(&group).unwrap();
    for failed in [
        F::usage(&group).map(drop),
        F::set_limit(&group, None),
        F::hog(&group, "hog").map(drop),
        F::watch(&group).map(drop),
        F::remove(&group),
        F::processes(&group).map(drop),
        F::predict(&group).map(drop),
    ] {
        says(failed, "not-found", &["the group was removed", "gone"]);
    }
    // Removed by somebody else, behind our back.
    let stolen = F::group(&lab, b"stolen", &settings).unwrap();
    let mut watch = F::watch(&stolen).unwrap();
    std::fs::remove_dir(F::group_path(&stolen)).unwrap();
    says(F::usage(&stolen), "not-found", &["stolen"]);
    says(F::hog(&stolen, "hog"), "not-found", &["stolen"]);
    says(F::watch(&stolen), "not-found", &["the group was removed", "stolen"]);
    assert!(F::wait_oom(&mut watch, Duration::from_millis(20)).unwrap().is_none(), "a removal is no OOM");
    F::close(&lab).unwrap();
    F::close(&lab).unwrap();
    says(F::group(&lab, b"late", &settings), "closed", &["create group", "closed", "remedy"]);
    says(F::usage(&stolen), "closed", &["closed"]);
}

pub fn workers<F: Face>() {
    let Some(lab) = lab::<F>() else { return };
    let group = F::group(&lab, b"workers", &Settings::bytes(32 * MIB)).unwrap();
    for case in cases("hogs") {
        let text = |key: &str, usual| case[key].as_str().unwrap_or(usual).to_string();
        let step_bytes = case["step_bytes"].as_u64().unwrap_or(MIB);
        let score = case["oom_score_adj"].as_i64().unwrap_or(0) as _;
        fails(F::hog_with(&group, &text("name", "h"), &text("memory", "anon"), step_bytes, score), &case);
    }
    says(F::ticker(&group, "t", Duration::ZERO), "invalid-input", &["start ticker", "zero"]);
    says(F::command(&group, &[], None, Output::Null), "invalid-input", &["no program", "remedy"]);
    let hog = F::hog(&group, "h").unwrap();
    says(F::signal(&hog, 4711), "invalid-input", &["send signal", "4711"]);
    F::kill(&hog).unwrap();
    F::wait(&hog, LONG).unwrap();
    assert_eq!(F::processes(&group).unwrap(), Vec::<i32>::new());
    F::close(&lab).unwrap();
}

pub fn sizes_and_paths<F: Face>() {
    for (text, bytes) in
        [("0", Some(0)), ("4096", Some(4096)), ("80M", Some(80 * MIB)), ("1G", Some(1024 * MIB)), ("max", None)]
    {
        assert_eq!(F::parse_size(text).unwrap(), bytes, "{text}");
    }
    for case in cases("sizes") {
        fails(F::parse_size(case["size"].as_str().unwrap()), &case);
    }
    let path = |case: &Value| Path::new(case["path"].as_str().unwrap()).to_path_buf();
    for case in cases("groups to open") {
        fails(F::open(&path(&case)), &case);
    }
    if lab::<F>().is_some() {
        for case in cases("parents of labs") {
            fails(F::lab_below(&path(&case)), &case);
        }
    }
}
