//! The documents of the C face are the bytes of the core: every saved log, as a whole and report by report, and the text
//! for people.
#![allow(unsafe_code, clippy::unwrap_used)] // a C caller, and a test

use std::ffi::{c_char, CStr};
use std::mem::MaybeUninit;
use std::path::Path;
use std::ptr;

use memoom_capi::*;

fn text<'a>(pointer: *const c_char) -> &'a str {
    assert!(!pointer.is_null());
    // SAFETY: the library's promise: a string that lives as long as its owner, which the caller keeps.
    unsafe { CStr::from_ptr(pointer) }.to_str().unwrap()
}

fn fnv1a(document: &str) -> u64 {
    document
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325, |digest, byte| (digest ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

#[test]
fn saved_logs() {
    let logs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/logs");
    let digests = std::fs::read_to_string(logs.join("documents.fnv1a")).unwrap();
    let mut seen = 0;
    for line in digests.lines() {
        let (digest, name) = line.split_once("  ").unwrap();
        let bytes = std::fs::read(logs.join(name)).or_else(|_| std::fs::read(logs.join("made").join(name))).unwrap();
        let mut list = MaybeUninit::uninit();
        // SAFETY: the bytes are there, as many as said.
        let status = unsafe { memoom_report_parse(bytes.as_ptr().cast(), bytes.len(), Some(&mut list), None) };
        assert_eq!(status, MEMOOM_OK);
        // SAFETY: written, as the status says.
        let list = unsafe { list.assume_init() };
        let document = text(memoom_report_list_to_json(Some(&list)));
        assert_eq!(format!("{:016x}", fnv1a(document)), digest, "{name}");
        let reports = memoom::parse_reports(&bytes);
        assert_eq!(document, memoom::reports_to_json(&reports), "{name}");
        assert_eq!(memoom_report_list_count(Some(&list)), reports.len());
        for (at, report) in reports.iter().enumerate() {
            // SAFETY: the list's own, and it lives.
            let one = unsafe { memoom_report_list_at(Some(&list), at).as_ref() };
            assert_eq!(text(memoom_report_to_json(one)), report.to_json(), "{name} {at}");
            assert_eq!(text(memoom_report_to_text(one)), report.to_text() + "\n", "{name} {at}");
            seen += 1;
        }
        memoom_report_list_free(Some(list));
    }
    assert!(seen > 30);
}

#[test]
fn the_host() {
    let mut host = MaybeUninit::uninit();
    assert_eq!(memoom_host_probe(Some(&mut host), None), MEMOOM_OK);
    // SAFETY: written, as the status says.
    let host = unsafe { host.assume_init() };
    let known = memoom::Host::probe().unwrap();
    // The free memory of two moments differs.
    let steady = |document: &str| {
        let mut document: serde_json::Value = serde_json::from_str(document).unwrap();
        document["available_bytes"] = 0.into();
        document.to_string()
    };
    assert_eq!(steady(text(memoom_host_to_json(Some(&host)))), steady(&known.to_json()));
    assert!(text(memoom_host_to_text(Some(&host))).contains(&known.release));
    memoom_host_free(Some(host));
}

#[test]
fn the_postmortem() {
    let ask = |subject, name: Option<&CStr>| {
        let mut made = MaybeUninit::uninit();
        // SAFETY: a string, or NULL.
        let status =
            unsafe { memoom_postmortem_of(subject, name.map_or(ptr::null(), CStr::as_ptr), Some(&mut made), None) };
        // SAFETY: written, as the status says.
        (status == MEMOOM_OK).then(|| unsafe { made.assume_init() }).ok_or(status)
    };
    // This process lives, so nobody has killed it; the log may grow meanwhile, and says nothing of it.
    let me = std::ffi::CString::new(std::process::id().to_string()).unwrap();
    let made = ask(MEMOOM_SUBJECT_PID, Some(&me)).unwrap_or_else(|status| panic!("{status}"));
    let known = memoom::postmortem(&memoom::Subject::Pid(std::process::id() as i32)).unwrap();
    assert_eq!(text(memoom_postmortem_to_text(Some(&made))), known.to_text());
    assert_eq!(text(memoom_postmortem_to_full_text(Some(&made))), known.to_full_text());
    assert_eq!(text(memoom_postmortem_to_json(Some(&made))), known.to_json());
    // SAFETY: the answer's own, and it lives.
    let by = unsafe { memoom_postmortem_killed_by(Some(&made)).as_ref() }.unwrap();
    assert_eq!((text(by.by), text(by.reason)), ("unknown", known.killed_by.reason.as_deref().unwrap()));
    assert_eq!(memoom_postmortem_victim_pid(Some(&made)), 0);
    assert!(memoom_postmortem_limit_group(Some(&made)).is_null());
    memoom_postmortem_free(Some(made));
    for subject in
        [MEMOOM_SUBJECT_LAST, MEMOOM_SUBJECT_UNIT, MEMOOM_SUBJECT_CONTAINER, MEMOOM_SUBJECT_POD, MEMOOM_SUBJECT_SLURM]
    {
        let name = (subject != MEMOOM_SUBJECT_LAST).then_some(c"memoom-no-such");
        assert!(ask(subject, name).map(|made| memoom_postmortem_free(Some(made))).is_ok(), "{subject}");
    }
    for (subject, name, status) in [
        (MEMOOM_SUBJECT_PID, Some(c"x"), MEMOOM_ERR_INVALID_INPUT),
        (MEMOOM_SUBJECT_PID, None, MEMOOM_ERR_INVALID_INPUT),
        (MEMOOM_SUBJECT_POD, Some(c""), MEMOOM_ERR_INVALID_INPUT),
        (99, Some(c"x"), MEMOOM_ERR_INVALID_INPUT),
        (MEMOOM_SUBJECT_GROUP, Some(c"/proc"), MEMOOM_ERR_INVALID_INPUT),
        (MEMOOM_SUBJECT_GROUP, Some(c"/no/such/group"), MEMOOM_ERR_NOT_FOUND),
    ] {
        assert_eq!(ask(subject, name).err(), Some(status), "{subject} {name:?}");
    }
}
