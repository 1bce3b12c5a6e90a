//! A log that is read from a descriptor: to its end, as it comes, and what is none.

use std::io::Write;
use std::os::fd::OwnedFd;
use std::thread;
use std::time::{Duration, Instant};

use memoom::observe::report::ReportLog;
use memoom::{ErrorKind, Wait};

use super::{all_logs, log, logs, parse_reports};

#[test]
fn a_file_gives_what_its_bytes_give() {
    for (name, bytes) in all_logs() {
        let path = [logs().join(&name), logs().join("made").join(&name)].into_iter().find(|path| path.exists());
        let mut log = ReportLog::open(path.unwrap()).unwrap();
        let mut found = Vec::new();
        while let Some(report) = log.next(Wait::forever()).unwrap() {
            found.push(report);
        }
        assert_eq!(found, parse_reports(&bytes), "{name}");
        assert!(log.ended() && log.next(Duration::ZERO).unwrap().is_none());
    }
}

#[test]
fn a_pipe_gives_a_report_while_its_writer_goes_on() {
    let (read, mut write) = std::io::pipe().unwrap();
    let mut reports = ReportLog::of(OwnedFd::from(read)).unwrap();
    assert!(reports.next(Duration::ZERO).unwrap().is_none() && !reports.ended());
    write.write_all(&log("6.18.44-v1-plain.kmsg")).unwrap();
    let begun = Instant::now();
    let report = reports.next(Duration::from_secs(60)).unwrap().unwrap();
    assert_eq!(report.kills.len(), 1);
    assert!(begun.elapsed() < Duration::from_secs(30));
    assert!(reports.next(Duration::from_millis(20)).unwrap().is_none() && !reports.ended());
    let rest = log("v2-6.1.kmsg");
    let expected = parse_reports(&rest).len();
    let writer = thread::spawn(move || {
        write.write_all(&rest).unwrap();
    });
    let mut count = 0;
    while reports.next(Wait::forever()).unwrap().is_some() {
        count += 1;
    }
    writer.join().unwrap();
    assert_eq!(count, expected);
    assert!(reports.ended());
}

#[test]
fn what_is_no_log_is_refused() {
    let error = ReportLog::open("/nowhere/a log").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let mut directory = ReportLog::open("/").unwrap();
    assert_eq!(directory.next(Wait::forever()).unwrap_err().errno(), Some(21), "EISDIR");
    assert!(directory.ended() && directory.next(Wait::forever()).unwrap().is_none());
    for magic in [&b"\x1f\x8b\x08"[..], b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd"] {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(magic).unwrap();
        let error = ReportLog::open(file.path()).unwrap().next(Wait::forever()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert_eq!(error.concerned_path(), Some(file.path()));
        assert!(error.to_string().contains("cat"), "{error}");
        // A pipe may give its first bytes one by one.
        let (read, mut write) = std::io::pipe().unwrap();
        let mut log = ReportLog::of(read.into()).unwrap();
        let (last, first) = magic.split_last().unwrap();
        for byte in first {
            write.write_all(&[*byte]).unwrap();
            match log.next(std::time::Duration::from_millis(1)) {
                Ok(none) => assert!(none.is_none()),
                // What follows the first two says no more of gzip.
                Err(error) => assert!(magic[0] == 0x1f && error.to_string().contains("zcat"), "{error}"),
            }
        }
        write.write_all(&[*last]).unwrap();
        drop(write);
        let told = log.next(Wait::forever());
        assert!(log.ended() && (magic[0] == 0x1f || told.is_err()), "{magic:?}: {told:?}");
    }
    let mut zeros = ReportLog::open("/dev/zero").unwrap();
    let error = zeros.next(Wait::forever()).unwrap_err();
    assert!(error.kind() == ErrorKind::InvalidInput && error.to_string().contains("no line ends in 64 MiB"), "{error}");
    let mut asked = 0;
    let mut no = || {
        asked += 1;
        asked < 2
    };
    let (read, _write) = std::io::pipe().unwrap();
    let mut pipe = ReportLog::of(OwnedFd::from(read)).unwrap();
    let error = pipe.next(Wait::forever().asking(&mut no)).unwrap_err();
    assert_eq!((error.kind(), pipe.ended()), (ErrorKind::Interrupted, false));
}
