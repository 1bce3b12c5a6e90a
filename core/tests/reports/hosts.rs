//! Logs of several hosts in one, as collectors show them: reports of two stand in each other.

use memoom::observe::report::Report;

use super::{log, parse_reports};

/// The kernel's lines of a log, without its clock.
fn texts(name: &str) -> Vec<String> {
    let text = String::from_utf8(log(name)).unwrap();
    text.lines().filter_map(|line| line.split_once("] ")).map(|(_, text)| text.to_string()).collect()
}

/// One, two or three lines of each in turn.
fn mixed(one: &[String], other: &[String]) -> String {
    let (mut lines, mut at, mut count) = (Vec::new(), [0, 0], 0);
    while at[0] < one.len() || at[1] < other.len() {
        for (which, from) in [one, other].into_iter().enumerate() {
            count += 1;
            let end = (at[which] + 1 + count % 3).min(from.len());
            lines.extend_from_slice(&from[at[which]..end]);
            at[which] = end;
        }
    }
    lines.join("\n") + "\n"
}

fn bare(mut report: Report) -> Report {
    (report.time_usec, report.logged_at) = (None, None);
    report
}

#[test]
fn two_hosts_at_once() {
    type Form = fn(&str, &str) -> String;
    let forms: [(&str, Form); 7] = [
        ("syslog", |host, text| format!("Nov 23 20:01:00 {host} kernel: {text}")),
        ("RFC 5424", |host, text| format!("<4>1 2026-11-23T20:01:00Z {host} kernel - - - {text}")),
        ("journal in JSON", |host, text| {
            serde_json::json!({"MESSAGE": text, "_HOSTNAME": host, "_TRANSPORT": "kernel"}).to_string()
        }),
        ("collector in JSON", |host, text| serde_json::json!({"message": text, "host": {"name": host}}).to_string()),
        ("services", |host, text| format!("{host}  | {text}")),
        ("services with the kernel's time", |host, text| format!("{host} | [  310.00000{}] {text}", &host[5..])),
        ("Talos", |host, text| format!("{host}: kern: warning: [2026-11-23T20:01:00.913975631Z]: {text}")),
    ];
    let logs = ["made/6.1-global-slab.log", "made/5.15-arm64.log"].map(texts);
    let dress = |form: Form, host: &str, lines: &[String]| -> Vec<String> {
        lines.iter().map(|text| form(host, text)).collect()
    };
    for (name, form) in forms {
        let hosts = [dress(form, "node-7", &logs[0]), dress(form, "node-9", &logs[1])];
        let alone: Vec<Report> =
            hosts.iter().flat_map(|lines| parse_reports((lines.join("\n") + "\n").as_bytes())).map(bare).collect();
        assert_eq!(alone.len(), 2, "{name}");
        let mut both: Vec<Report> =
            parse_reports(mixed(&hosts[0], &hosts[1]).as_bytes()).into_iter().map(bare).collect();
        both.sort_by_key(|report| alone.iter().position(|one| one == report));
        assert_eq!(both, alone, "{name}");
    }
}

/// A name that is written in two ways is one host: the report goes on.
#[test]
fn a_host_that_changes_its_name() {
    let lines = texts("made/5.15-arm64.log");
    let renamed: Vec<String> = lines
        .iter()
        .enumerate()
        .map(|(at, text)| format!("Nov 23 20:01:00 {} kernel: {text}", if at < 9 { "localhost" } else { "node-7" }))
        .collect();
    let plain: Vec<String> = lines.iter().map(|text| format!("Nov 23 20:01:00 node-7 kernel: {text}")).collect();
    let read = |lines: &[String]| parse_reports((lines.join("\n") + "\n").as_bytes());
    assert_eq!(read(&renamed), read(&plain));
}
