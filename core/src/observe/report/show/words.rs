//! How a report puts its words: lines that are not too long, sizes, names.

use super::super::Usage;
use super::WIDTH;
use crate::text::escape;
use std::fmt::Write;

/// Adds a list, separated by commas, in indented lines.
pub(super) fn wrapped(lines: &mut Vec<String>, items: impl Iterator<Item = String>) {
    let mut line = String::new();
    for item in items {
        if !line.is_empty() {
            line.push(',');
            if line.len() + item.len() + 5 > WIDTH {
                lines.push(format!("    {line}"));
                line.clear();
            } else {
                line.push(' ');
            }
        }
        line.push_str(&item);
    }
    if !line.is_empty() {
        lines.push(format!("    {line}"));
    }
}

/// A calendar time, perhaps in the letters of another language.
pub(super) fn dated(wall: &[u8]) -> String {
    let readable = |text: &&str| text.chars().all(|letter| letter.is_alphanumeric() || (' '..='~').contains(&letter));
    std::str::from_utf8(wall).ok().filter(readable).map_or_else(|| escape(wall), str::to_string)
}

/// Hundredths in a column of five.
pub(super) fn part(percent: Option<u64>) -> String {
    match percent {
        None => "     ".to_string(),
        Some(0) => " <1 %".to_string(),
        Some(percent @ ..=100) => format!("{percent:>3} %"),
        Some(_) => ">100%".to_string(),
    }
}

/// A text in lines of at most so many columns.
pub(super) fn filled(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let last = lines.len() - 1;
        if !lines[last].is_empty() && lines[last].len() + word.len() >= width {
            lines.push(word.to_string());
        } else {
            if !lines[last].is_empty() {
                lines[last].push(' ');
            }
            lines[last].push_str(word);
        }
    }
    lines
}

/// The same behind a mark, the later lines under the first.
pub(super) fn hanging(lines: &mut Vec<String>, mark: &str, text: &str) {
    for (at, line) in filled(text, WIDTH - mark.len()).into_iter().enumerate() {
        let lead = if at == 0 { mark.to_string() } else { " ".repeat(mark.len()) };
        lines.push(format!("{lead}{line}"));
    }
}

pub(super) fn named(comm: &[u8], pid: Option<i32>) -> String {
    match pid {
        Some(0) => format!("{} (pid unknown)", escape(comm)),
        Some(pid) => format!("{} ({pid})", escape(comm)),
        None => escape(comm),
    }
}

pub(super) fn shown(usage: Usage) -> String {
    let mut line = match usage.limit_bytes {
        Some(limit) => format!("{} of {}", size(usage.usage_bytes), size(limit)),
        None => format!("{} (no limit)", size(usage.usage_bytes)),
    };
    if usage.failcnt > 0 {
        let _ = write!(line, " (hit {} times)", usage.failcnt);
    }
    line
}

/// Exact in the largest unit that divides it.
pub(super) fn size(bytes: u64) -> String {
    for (shift, unit) in [(30, "GiB"), (20, "MiB"), (10, "KiB")] {
        if bytes != 0 && bytes % (1 << shift) == 0 {
            return format!("{} {unit}", bytes >> shift);
        }
    }
    format!("{bytes} B")
}
