//! What loggers, pages, mail programs and people make of a kernel log: one log in more than a hundred dresses.

#[path = "wardrobe/carriers.rs"]
mod carriers;
#[path = "wardrobe/containers.rs"]
mod containers;

use self::carriers::{carried, carriers, timeless_carriers};
use self::containers::containers;

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
// Long: one table, a line for each change.
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
