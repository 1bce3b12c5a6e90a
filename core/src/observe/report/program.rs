//! Who wrote a line: what syslog, journald and container loggers put between the time and the text.

use super::scan::{contains, digits, find, head, trim_start, word};

/// What stands between a date and the text.
pub(super) enum Identifier<'a> {
    /// The text, and the host where it is named.
    Kernel(&'a [u8], &'a [u8]),
    Container(&'a [u8]),
    None,
    Other,
}

pub(super) fn identifier(text: &[u8], programs: bool) -> Identifier<'_> {
    let mut rest = text;
    let mut words: [&[u8]; 4] = [b""; 4];
    for at in 0..4 {
        let (token, after) = word(rest);
        // The kernel's own time: no program stands before it.
        if at == 0 && token.starts_with(b"[") {
            return Identifier::None;
        }
        if token.len() > 255 {
            break;
        }
        words[at] = token;
        rest = after;
        match token {
            b"kernel:" | b"kernel[0]:" => {
                // busybox and OpenWrt name facility and level in front; only the kernel's may pass.
                let forged = words[..at].iter().any(|word| foreign_facility(word));
                return if forged {
                    Identifier::Other
                } else {
                    let host = words[0];
                    let named = at > 0 && !host.starts_with(b"kern.");
                    Identifier::Kernel(after.strip_prefix(b" ").unwrap_or(after), if named { host } else { b"" })
                };
            }
            // RFC 5424: application, process, message id, structured data.
            b"kernel" if at == 1 => return structured(after, words[0]),
            b"F" | b"P" if at == 1 && matches!(words[0], b"stdout" | b"stderr") => {
                return Identifier::Container(after.strip_prefix(b" ").unwrap_or(after));
            }
            _ => {}
        }
    }
    let text = head(text, 400);
    let program = is_program(words[0], true) || (programs && is_program(words[1], false));
    if program && !contains(text, b" invoked oom-killer:") {
        Identifier::Other
    } else {
        Identifier::None
    }
}

/// `local0.info`, but not `kern.info`, not a dotted host name.
fn foreign_facility(word: &[u8]) -> bool {
    const LEVELS: [&[u8]; 8] = [b".emerg", b".alert", b".crit", b".err", b".warn", b".notice", b".info", b".debug"];
    !word.starts_with(b"kern.") && LEVELS.iter().any(|level| word.ends_with(level))
}

/// `systemd[1]:`, and without `pid_needed` also `sshd:`.
pub(super) fn is_program(word: &[u8], pid_needed: bool) -> bool {
    let Some(name) = word.strip_suffix(b":") else { return false };
    if name.ends_with(b"]") {
        return name.iter().position(|&byte| byte == b'[').is_some_and(|at| {
            let pid = &name[at + 1..name.len() - 1];
            !pid.is_empty() && digits(pid) == pid.len()
        });
    }
    // "Call Trace:" and "Hardware name:" are kernel text.
    !pid_needed
        && name.first().is_some_and(u8::is_ascii_alphabetic)
        && !matches!(name, b"Trace" | b"trace" | b"name")
        && name.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_./".contains(byte))
}

/// `- - - text` or `- - [data] text` of RFC 5424.
fn structured<'a>(text: &'a [u8], host: &'a [u8]) -> Identifier<'a> {
    let (_, rest) = word(text);
    let (_, rest) = word(rest);
    let rest = trim_start(rest);
    let rest = if rest.starts_with(b"[") {
        match find(head(rest, 512), b"] ") {
            Some(end) => &rest[end + 1..],
            None => return Identifier::Other,
        }
    } else {
        word(rest).1
    };
    let rest = rest.strip_prefix(b" ").unwrap_or(rest);
    Identifier::Kernel(rest.strip_prefix(b"\xef\xbb\xbf").unwrap_or(rest), host)
}
