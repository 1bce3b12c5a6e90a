//! Any bytes through both doors of the report parser.
#![no_main]

use libfuzzer_sys::fuzz_target;
use memoom::observe::report::{parse_records, parse_reports, reports_to_json};
use memoom::observe::Record;

fuzz_target!(|bytes: &[u8]| {
    let reports = parse_reports(bytes);
    let json = reports_to_json(&reports);
    assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok());
    for report in &reports {
        // Two bytes of UTF-16 may be three of UTF-8, and each of them is written as four characters.
        assert!(report.text.len() <= bytes.len() * 6 + 64, "more text than input");
        assert!(!report.to_text().is_empty());
    }
    let records: Vec<Record> = bytes.split(|&byte| byte == b'\n').filter_map(Record::parse).collect();
    let _ = parse_records(&records);
});
