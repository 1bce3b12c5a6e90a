//! What loggers, pages, mail programs and people make of a kernel log: one log in more than a hundred dresses.

/// A line of a log before anybody touched it.
#[derive(Clone, Debug)]
pub(super) struct Plain {
    pub usec: u64,
    pub level: u8,
    pub text: String,
}

/// A way of dressing a log.
pub(super) struct Dress {
    pub name: String,
    pub put_on: PutOn,
    /// Whether the times of the kernel's clock are lost, or numbers of records stand in their place: the reasons for what is
    /// missing may differ.
    pub timeless: bool,
    /// Whether it takes a whole report to see through it: a program other than the kernel passes it on, or the order alone
    /// tells that the newest line comes first.
    pub whole: bool,
    /// Whether it holds every line twice, in one second: then only what was killed tells a copy.
    pub twice: bool,
}

type Lines = Vec<String>;
/// What makes a log out of one.
type PutOn = Box<dyn Fn(&[Plain]) -> Vec<u8>>;
/// A name, what stands before a line (the second argument is its number), and what stands behind it.
type Carrier = (&'static str, fn(&Plain, usize) -> String, &'static str);
type Container = (&'static str, fn(&[Plain]) -> Vec<u8>);
type Change = (&'static str, fn(Lines) -> Vec<u8>);

fn seconds(line: &Plain) -> String {
    format!("{:5}.{:06}", line.usec / 1_000_000, line.usec % 1_000_000)
}

fn stamp(line: &Plain) -> String {
    format!("[{}] ", seconds(line))
}

fn clock(line: &Plain) -> String {
    let now = line.usec / 1_000_000 + 3600;
    format!("{:02}:{:02}:{:02}", now / 3600 % 24, now / 60 % 60, now % 60)
}

fn dmesg(log: &[Plain]) -> Lines {
    log.iter().map(|line| stamp(line) + &line.text).collect()
}

fn journal(log: &[Plain]) -> Lines {
    log.iter().map(|line| format!("Nov 23 {} host-1 kernel: {}", clock(line), line.text)).collect()
}

fn bare(log: &[Plain]) -> Lines {
    log.iter().map(|line| line.text.clone()).collect()
}

fn text(lines: Lines) -> Vec<u8> {
    (lines.join("\n") + "\n").into_bytes()
}

fn json(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

fn html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// What stands before each line, by loggers of known and of unknown form.
fn carriers() -> Vec<Carrier> {
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
fn timeless_carriers() -> Vec<Carrier> {
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

fn carried(log: &[Plain], before: fn(&Plain, usize) -> String, after: &str) -> Vec<u8> {
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

/// What holds a log: documents and strings.
fn containers() -> Vec<Container> {
    fn objects(log: &[Plain]) -> Lines {
        let object = |line: &Plain| {
            format!(
                "{{\"@timestamp\":\"2026-11-23T{}Z\",\"message\":{}}}",
                clock(line),
                json(&(stamp(line) + &line.text))
            )
        };
        log.iter().map(object).collect()
    }
    vec![
        ("docker json", |log| {
            let object = |line: &Plain| {
                format!("{{\"log\":{},\"stream\":\"stdout\"}}", json(&(stamp(line) + &line.text + "\n")))
            };
            text(log.iter().map(object).collect())
        }),
        ("journal json", |log| {
            let object = |line: &Plain| {
                format!(
                    "{{\"_TRANSPORT\":\"kernel\",\"_SOURCE_MONOTONIC_TIMESTAMP\":\"{}\",\"MESSAGE\":{}}}",
                    line.usec,
                    json(&line.text)
                )
            };
            text(log.iter().map(object).collect())
        }),
        ("journal json pretty", |log| {
            let object = |line: &Plain| {
                format!("{{\n\t\"_TRANSPORT\" : \"kernel\",\n\t\"_SOURCE_MONOTONIC_TIMESTAMP\" : \"{}\",\n\t\"MESSAGE\" : {}\n}}", line.usec, json(&line.text))
            };
            text(log.iter().map(object).collect())
        }),
        ("array of objects", |log| format!("[{}]\n", objects(log).join(",")).into_bytes()),
        ("array of objects, a line each", |log| format!("[\n  {}\n]\n", objects(log).join(",\n  ")).into_bytes()),
        ("array pretty", |log| {
            let value: serde_json::Value = serde_json::from_str(&format!("[{}]", objects(log).join(","))).unwrap();
            text(vec![serde_json::to_string_pretty(&value).unwrap()])
        }),
        ("loki", |log| {
            let pair = |line: &Plain| format!("[\"{}000\",{}]", line.usec, json(&(stamp(line) + &line.text)));
            let pairs: Lines = log.iter().map(pair).collect();
            format!("{{\"data\":{{\"result\":[{{\"stream\":{{\"job\":\"k\"}},\"values\":[{}]}}]}}}}", pairs.join(","))
                .into_bytes()
        }),
        ("elasticsearch", |log| {
            let hit = |object: String| format!("{{\"_id\":\"x\",\"_source\":{object}}}");
            let hits: Lines = objects(log).into_iter().map(hit).collect();
            format!("{{\"hits\":{{\"total\":1,\"hits\":[{}]}}}}", hits.join(",")).into_bytes()
        }),
        ("cloudwatch", |log| {
            let event = |line: &Plain| {
                format!(
                    "{{\"timestamp\":{},\"message\":{},\"ingestionTime\":5}}",
                    line.usec,
                    json(&(stamp(line) + &line.text))
                )
            };
            let events: Lines = log.iter().map(event).collect();
            format!("{{\n  \"events\": [\n    {}\n  ]\n}}", events.join(",\n    ")).into_bytes()
        }),
        ("one string", |log| format!("{{\"node\":\"n\",\"dmesg\":{}}}", json(&dmesg(log).join("\n"))).into_bytes()),
        ("one string, cut off", |log| format!("  \"dmesg\": {}, \"mo", json(&dmesg(log).join("\n"))).into_bytes()),
        ("strings", |log| {
            let lines: Lines = dmesg(log).iter().map(|line| format!("        {},", json(line))).collect();
            format!("    \"stdout_lines\": [\n{}\n    ]\n", lines.join("\n")).into_bytes()
        }),
        ("syslog with #012", |log| format!("Nov 23 01:00:00 host kernel: {}\n", bare(log).join("#012")).into_bytes()),
        ("table of a page", |log| {
            let row = |(at, line): (usize, &String)| {
                format!("<tr><td class=\"n\">{}</td><td>{}</td></tr>", at + 1, html(line))
            };
            let rows: Lines = dmesg(log).iter().enumerate().map(row).collect();
            format!("<html><body><table>\n{}\n</table></body></html>\n", rows.join("\n")).into_bytes()
        }),
        ("page", |log| {
            let lines: Lines =
                dmesg(log).iter().map(|line| format!("<span style=\"color:#555\">{}</span>", html(line))).collect();
            format!("<html><body><p>It happened again.</p><pre><code>{}</code></pre></body></html>\n", lines.join("\n"))
                .into_bytes()
        }),
        ("markdown", |log| {
            format!("It happens every night.\n\n```\n{}\n```\n\nAny idea what to do?\n", dmesg(log).join("\n"))
                .into_bytes()
        }),
        ("jira", |log| format!("Log:\n{{noformat}}{}{{noformat}}\nThanks\n", dmesg(log).join("\n")).into_bytes()),
        ("forum", |log| format!("[quote=somebody][code]{}[/code][/quote]\n", dmesg(log).join("\n")).into_bytes()),
        ("yaml block", |log| {
            let lines: Lines = dmesg(log).iter().map(|line| format!("      {line}")).collect();
            format!("  status:\n    log: |\n{}\n    node: n1\n", lines.join("\n")).into_bytes()
        }),
    ]
}

fn margin(lines: Lines, mark: &str) -> Lines {
    lines.into_iter().map(|line| format!("{mark}{line}")).collect()
}

/// Breaks lines at exactly this column.
fn hard(lines: Lines, columns: usize) -> Lines {
    let mut out = Vec::new();
    for line in lines {
        let characters: Vec<char> = line.chars().collect();
        for piece in characters.chunks(columns) {
            out.push(piece.iter().collect::<String>());
        }
        if characters.is_empty() {
            out.push(String::new());
        }
    }
    out
}

/// The same as a terminal gives it: without the blanks at the ends.
fn terminal(lines: Lines, columns: usize) -> Lines {
    hard(lines, columns).into_iter().map(|line| line.trim_end().to_string()).collect()
}

/// Breaks lines at the last blank before a column, as mail programs do.
fn soft(lines: Lines, columns: usize) -> Lines {
    let mut out = Vec::new();
    for line in lines {
        let mut rest = line.as_str();
        while rest.len() > columns {
            let Some(at) = (20..=columns).rev().find(|&at| rest.as_bytes()[at] == b' ') else { break };
            out.push(rest[..at].trim_end().to_string());
            rest = rest[at..].trim_start();
        }
        out.push(rest.to_string());
    }
    out
}

fn numbered(lines: Lines, form: fn(usize) -> String) -> Lines {
    lines.into_iter().enumerate().map(|(at, line)| form(at + 1) + &line).collect()
}

fn reversed(lines: Lines) -> Lines {
    lines.into_iter().rev().collect()
}

/// Changes of a log in the form of dmesg.
fn changes() -> Vec<Change> {
    vec![
        ("quoted", |lines| text(margin(lines, "> "))),
        ("quoted twice", |lines| text(margin(lines, ">> "))),
        ("quoted apart", |lines| text(margin(lines, "> > "))),
        ("bar", |lines| text(margin(lines, "| "))),
        ("hash", |lines| text(margin(lines, "# "))),
        ("comment", |lines| text(margin(lines, "// "))),
        ("star", |lines| text(margin(lines, " * "))),
        ("patch", |lines| text(margin(lines, "+"))),
        ("bullets", |lines| text(margin(lines, "- "))),
        ("indented by one", |lines| text(margin(lines, " "))),
        ("indented", |lines| text(margin(lines, "    "))),
        ("indented by a tab", |lines| text(margin(lines, "\t"))),
        ("cat -n", |lines| text(numbered(lines, |at| format!("{at:6}\t")))),
        ("numbers and colons", |lines| text(numbered(lines, |at| format!("{at}: ")))),
        ("numbers and bars", |lines| text(numbered(lines, |at| format!("{at:4} | ")))),
        ("numbers and dots", |lines| text(numbered(lines, |at| format!("{at}. ")))),
        ("numbered and quoted", |lines| text(margin(numbered(lines, |at| format!("{at:3}: ")), "> "))),
        ("no-break spaces", |lines| text(lines).into_iter().flat_map(nbsp).collect()),
        ("no-break spaces in runs", |lines| text(lines.iter().map(|line| line.replace("  ", "\u{a0} ")).collect())),
        ("no-break spaces of html", |lines| {
            text(lines.iter().map(|line| html(line).replace("  ", "&nbsp; ") + "<br>").collect())
        }),
        ("narrow no-break spaces", |lines| text(lines.iter().map(|line| line.replace(' ', "\u{202f}")).collect())),
        ("tabs in runs", |lines| text(lines.iter().map(|line| line.replace("    ", "\t")).collect())),
        ("trailing blanks", |lines| text(lines.iter().map(|line| format!("{line}   ")).collect())),
        ("blank lines between", |lines| text(vec![lines.join("\n\n")])),
        ("CRLF", |lines| (lines.join("\r\n") + "\r\n").into_bytes()),
        ("CR CR LF", |lines| (lines.join("\r\r\n") + "\r\r\n").into_bytes()),
        ("CR", |lines| (lines.join("\r") + "\r").into_bytes()),
        ("UTF-8 with a mark", |lines| [b"\xef\xbb\xbf".to_vec(), text(lines)].concat()),
        ("UTF-16", |lines| utf16(&lines, true, true)),
        ("UTF-16, large end", |lines| utf16(&lines, false, true)),
        ("UTF-16 without a mark", |lines| utf16(&lines, true, false)),
        ("dmesg --color", |lines| {
            text(
                lines
                    .iter()
                    .map(|line| format!("\x1b[32m{}\x1b[0m\x1b[33m{}\x1b[0m", &line[..15], &line[15..]))
                    .collect(),
            )
        }),
        ("grep --color", |lines| {
            text(
                lines
                    .iter()
                    .map(|line| line.replace("Killed process", "\x1b[01;31m\x1b[KKilled process\x1b[m\x1b[K"))
                    .collect(),
            )
        }),
        ("colours of cat -v", |lines| {
            text(lines.iter().map(|line| format!("^[[32m{}^[[0m{}", &line[..15], &line[15..])).collect())
        }),
        ("html", |lines| text(lines.iter().map(|line| html(line)).collect())),
        ("html twice", |lines| text(lines.iter().map(|line| html(&html(line))).collect())),
        ("quoted-printable", |lines| quoted_printable(&lines)),
        ("backslashes", |lines| {
            text(
                lines
                    .iter()
                    .map(|line| {
                        line.replace('\\', "\\\\")
                            .replace('_', "\\_")
                            .replace('[', "\\[")
                            .replace(']', "\\]")
                            .replace('<', "\\<")
                    })
                    .collect(),
            )
        }),
        ("no blanks at ends", |lines| text(lines.iter().map(|line| line.trim_end().to_string()).collect())),
        ("pasted twice", |lines| text(lines.iter().chain(&lines).cloned().collect())),
        ("pasted twice with words", |lines| {
            format!("First:\n\n{}\n\nAgain:\n\n{}\n", lines.join("\n"), lines.join("\n")).into_bytes()
        }),
        ("overlapping pastes", |lines| {
            let (third, two) = (lines.len() / 3, lines.len() * 2 / 3);
            text(lines[..two.max(1)].iter().chain(&lines[third..]).cloned().collect())
        }),
        ("newest first", |lines| text(reversed(lines))),
        ("newest first, quoted", |lines| text(margin(reversed(lines), "> "))),
        ("newest first, numbered", |lines| text(numbered(reversed(lines), |at| format!("{at:4}  ")))),
        ("newest first, CRLF", |lines| (reversed(lines).join("\r\n") + "\r\n").into_bytes()),
        ("newest first, html", |lines| text(reversed(lines).iter().map(|line| html(line) + "<br>").collect())),
        ("prose around", |lines| {
            format!(
                "Hello all,\n\nmy machine froze and I found this:\n\n{}\n\nIs that the disk?\nRegards\n",
                lines.join("\n")
            )
            .into_bytes()
        }),
        ("wrapped, CRLF, UTF-16", |lines| {
            utf16(&hard(lines, 90).iter().map(|line| format!("{line}\r")).collect::<Vec<_>>(), true, true)
        }),
        ("wrapped, numbered", |lines| text(numbered(terminal(lines, 80), |at| format!("{at:5}: ")))),
        ("wrapped, html", |lines| text(hard(lines, 100).iter().map(|line| html(line) + "<br>").collect())),
        ("quoted, then wrapped", |lines| text(soft(margin(lines, "> "), 78))),
        ("indented, then wrapped", |lines| text(hard(margin(lines, "    "), 84))),
    ]
}

fn nbsp(byte: u8) -> Vec<u8> {
    if byte == b' ' {
        vec![0xc2, 0xa0]
    } else {
        vec![byte]
    }
}

fn utf16(lines: &[String], little: bool, marked: bool) -> Vec<u8> {
    let mark = if marked { "\u{feff}" } else { "" };
    let text = format!("{mark}{}\n", lines.join("\n"));
    let bytes = |unit: u16| if little { unit.to_le_bytes() } else { unit.to_be_bytes() };
    text.encode_utf16().flat_map(bytes).collect()
}

fn quoted_printable(lines: &[String]) -> Vec<u8> {
    let mut out = Vec::new();
    for line in lines {
        let mut column = 0;
        for byte in line.bytes() {
            let piece = match byte {
                b'=' => "=3D".to_string(),
                0..=0x1f | 0x7f.. => format!("={byte:02X}"),
                _ => (byte as char).to_string(),
            };
            if column + piece.len() > 75 {
                out.extend_from_slice(b"=\n");
                column = 0;
            }
            column += piece.len();
            out.extend_from_slice(piece.as_bytes());
        }
        out.push(b'\n');
    }
    out
}

/// All dresses.
pub(super) fn wardrobe() -> Vec<Dress> {
    let mut all: Vec<Dress> = Vec::new();
    let mut add = |name: String, timeless: bool, put_on: PutOn| {
        let (whole, twice) = (
            name == "logger -t" || name == "sentence" || (timeless && name.ends_with("newest first")),
            name == "journal, pasted twice",
        );
        all.push(Dress { name, put_on, timeless, whole, twice });
    };
    for (name, before, after) in carriers() {
        add(name.to_string(), name.starts_with("netconsole"), Box::new(move |log| carried(log, before, after)));
    }
    for (name, before, after) in timeless_carriers() {
        add(name.to_string(), true, Box::new(move |log| carried(log, before, after)));
    }
    for (name, put) in containers() {
        add(name.to_string(), name.contains("#012"), Box::new(put));
    }
    for (name, change) in changes() {
        add(name.to_string(), false, Box::new(move |log| change(dmesg(log))));
    }
    for columns in [60, 66, 72, 78, 80, 90, 96, 100, 110, 120] {
        add(format!("broken at {columns}"), false, Box::new(move |log| text(hard(dmesg(log), columns))));
        add(format!("terminal of {columns}"), false, Box::new(move |log| text(terminal(dmesg(log), columns))));
        add(format!("mail of {columns}"), false, Box::new(move |log| text(soft(dmesg(log), columns))));
        add(
            format!("mail of {columns}, quoted"),
            false,
            Box::new(move |log| text(margin(soft(dmesg(log), columns), "> "))),
        );
    }
    for columns in [80, 100, 120] {
        add(
            format!("journal, terminal of {columns}"),
            true,
            Box::new(move |log| text(terminal(journal(log), columns))),
        );
        add(format!("journal, mail of {columns}"), true, Box::new(move |log| text(soft(journal(log), columns))));
    }
    add("journal, newest first".to_string(), true, Box::new(|log| text(reversed(journal(log)))));
    add("journal, pasted twice".to_string(), true, Box::new(|log| text([journal(log), journal(log)].concat())));
    add("bare, newest first".to_string(), true, Box::new(|log| text(reversed(bare(log)))));
    all
}
