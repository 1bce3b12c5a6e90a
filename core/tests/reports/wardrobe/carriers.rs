//! What programs put around each line of a log.

use super::{clock, html, seconds, stamp, text, Carrier, Plain};

/// What stands before each line, by loggers of known and of unknown form.
pub(super) fn carriers() -> Vec<Carrier> {
    vec![
        ("dmesg", |line, _| stamp(line), ""),
        ("dmesg -d", |line, _| format!("[{} <    0.000009>] ", seconds(line)), ""),
        ("dmesg -x", |line, _| format!("kern  :warn  : {}", stamp(line)), ""),
        ("dmesg -r", |line, _| format!("<{}>{}", line.level, stamp(line)), ""),
        ("caller", |line, _| format!("[{}][ T1234] ", seconds(line)), ""),
        ("journal monotonic", |line, _| format!("[{}] host kernel: ", seconds(line)), ""),
        ("rsyslog", |line, _| format!("Nov  3 {} host kernel: {}", clock(line), stamp(line)), ""),
        ("rsyslog iso", |line, _| format!("2026-11-23T{}.123456+01:00 host kernel: {}", clock(line), stamp(line)), ""),
        (
            "rfc5424",
            |line, _| format!("<{}>1 2026-11-23T{}.1Z host kernel - - - {}", line.level, clock(line), stamp(line)),
            "",
        ),
        ("host kernel:", |line, _| format!("node-1 kernel: {}", stamp(line)), ""),
        ("kernel: and time", |line, _| format!("kernel: {}", stamp(line)), ""),
        ("compose", |line, _| format!("klog-1  | {}", stamp(line)), ""),
        ("busybox", |line, _| format!("Nov  3 {} box kern.warn kernel: {}", clock(line), stamp(line)), ""),
        ("logread", |line, _| format!("Mon Nov 23 {} 2026 kern.warn kernel: {}", clock(line), stamp(line)), ""),
        ("cri", |line, _| format!("2026-11-23T{}.123456789Z stdout F {}", clock(line), stamp(line)), ""),
        ("actions", |line, _| format!("2026-11-23T{}.1234567Z {}", clock(line), stamp(line)), ""),
        (
            "vmware guest",
            |line, _| format!("2026-11-23T{}.127Z In(05) vcpu-5 - Guest: <{}>{}", clock(line), line.level, stamp(line)),
            "",
        ),
        ("pstore", |line, _| format!("<{}>{}", line.level, stamp(line)), ""),
        ("netconsole", |line, at| format!("{},{},{},-;", line.level, at + 70, line.usec), ""),
        ("netconsole extended", |line, at| format!("6.4.0,{},{},{},-;", line.level, at + 70, line.usec), ""),
        ("logcat", |line, at| format!("11-23 {}.000     0 {:5} W kernel  : {}", clock(line), at, stamp(line)), ""),
        (
            "grep -n",
            |line, at| format!("/var/log/kern.log:{}:Nov 23 {} host kernel: {}", at + 1, clock(line), stamp(line)),
            "",
        ),
        ("pdsh", |line, _| format!("node17: {}", stamp(line)), ""),
        ("two columns", |line, at| format!("{:6} 2026-11-23 {} INFO     {}", at, clock(line), stamp(line)), ""),
        ("csv", |line, _| format!("2026-11-23 {},node-3,\"{}", clock(line), stamp(line)), "\""),
        ("logfmt", |line, _| format!("time=\"2026-11-23T{}Z\" level=warning msg=\"{}", clock(line), stamp(line)), "\""),
        ("python list", |line, _| format!("    '{}", stamp(line)), "',"),
        ("C strings", |line, _| format!("        \"{}", stamp(line)), "\\n\""),
        ("backquotes", |line, _| format!("`{}", stamp(line)), "`  "),
        ("html break", |line, _| stamp(line), "<br/>"),
    ]
}

/// The same, without the kernel's clock.
pub(super) fn timeless_carriers() -> Vec<Carrier> {
    vec![
        ("bare", |_, _| String::new(), ""),
        ("kernel:", |_, _| "kernel: ".to_string(), ""),
        ("dmesg -T", |line, _| format!("[Mon Nov 23 {} 2026] ", clock(line)), ""),
        ("dmesg iso", |line, _| format!("2026-11-23T{},113567+00:00 ", clock(line)), ""),
        ("journal", |line, _| format!("Nov 23 {} host kernel: ", clock(line)), ""),
        ("journal precise", |line, _| format!("Nov 23 {}.123456 host.example.org kernel: ", clock(line)), ""),
        ("journal iso", |line, _| format!("2026-11-23T{}+0100 host kernel: ", clock(line)), ""),
        ("journal full", |line, _| format!("Mon 2026-11-23 {} UTC host kernel: ", clock(line)), ""),
        ("host kernel: without time", |_, _| "node-1 kernel: ".to_string(), ""),
        ("klog", |line, at| format!("I0105 {}.123456 {:7} log.go:160] ", clock(line), 7 + at % 3 * 1000), ""),
        ("talos", |line, _| format!("kern: warning: [2026-11-23T{}.913975631Z]: ", clock(line)), ""),
        ("unknown clock", |_, at| format!("[2-{}.{}] ", 3219 + at / 100, 1870 + at), ""),
        ("pods", |_, at| format!("agent-{} klog> ", ["x7k2p", "q9", "zz41"][at % 3]), ""),
        ("level and bar", |_, at| format!("{} | ", ["INFO", "WARN", "ERROR"][at % 3]), ""),
        ("logger -t", |line, _| format!("Nov 23 {} host dmesg[812]: ", clock(line)), ""),
        ("yaml list", |_, _| "  - \"".to_string(), "\""),
        ("html paragraphs", |_, _| "<p>".to_string(), "</p>"),
        ("sentence", |_, _| "console says: ".to_string(), " (end)"),
    ]
}

pub(super) fn carried(log: &[Plain], before: fn(&Plain, usize) -> String, after: &str) -> Vec<u8> {
    let line = |(at, line): (usize, &Plain)| {
        let body = match after {
            "<br/>" | "</p>" => html(&line.text),
            "\"" | "\\n\"" => line.text.replace('\\', "\\\\").replace('"', "\\\""),
            _ => line.text.clone(),
        };
        format!("{}{body}{after}", before(line, at))
    };
    text(log.iter().enumerate().map(line).collect())
}
