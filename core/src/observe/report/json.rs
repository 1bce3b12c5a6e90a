//! Logs in JSON: an object a line (journalctl -o json, docker's json-file driver, collectors), whole documents over many
//! lines (kubectl, Loki, CloudWatch, Elasticsearch), and parts of a document that was not pasted whole.

use super::anchor::anchor;
use super::scan::{contains, find, trim_end, trim_start};
use super::value::{Object, Value};

/// What one message holds.
pub(super) struct Entry {
    /// The message, without the newline at its end.
    pub text: Vec<u8>,
    /// The kernel's clock, in microseconds.
    pub usec: Option<u64>,
    /// The calendar time, as the logger wrote it.
    pub wall: Option<String>,
    /// The host, where the logger names it.
    pub host: Option<String>,
}

/// The members that hold a message. Others are learnt where a line of a report stands in them.
const MESSAGES: [&str; 13] = [
    "MESSAGE",
    "full_message",
    "log",
    "message",
    "msg",
    "textPayload",
    "line",
    "_raw",
    "@message",
    "Message",
    "body",
    "Line",
    "content",
];
/// So many names are learnt.
const NAMES: usize = 8;
/// The members that hold its time.
const TIMES: [&str; 7] = ["time", "timestamp", "@timestamp", "ts", "lastTimestamp", "eventTime", "TimeGenerated"];

/// The members that name its host, or hold an object with its name.
const HOSTS: [&str; 5] = ["_HOSTNAME", "host", "hostname", "node_name", "Computer"];

/// The messages of the document that a text begins with, and how many bytes it takes with the end of its last line. `None`
/// where there is no document, or none with a message in it. `members`: names of members that hold messages, and the place of
/// those that this document tells.
pub(super) fn document(text: &[u8], members: &mut Vec<String>) -> Option<(Vec<Entry>, usize)> {
    let mut stream = serde_json::Deserializer::from_slice(text).into_iter::<Value>();
    let value = stream.next()?.ok()?;
    let taken = stream.byte_offset();
    let line = text[taken..].iter().position(|&byte| byte == b'\n').unwrap_or(text.len() - taken);
    let rest = text[taken..taken + line].trim_ascii();
    if !(rest.is_empty() || rest == b",") {
        return None;
    }
    let mut entries = Vec::new();
    let known = members.len();
    let mut found = walk(&value, &mut entries, members);
    if members.len() > known {
        entries.clear();
        found = walk(&value, &mut entries, members);
    }
    found.then_some((entries, (taken + line + 1).min(text.len())))
}

/// The messages of an object behind other words: `data: {…}`, a time before each object. `proven`: other lines of the log are
/// such, so that this one need not have a report's words in it.
pub(super) fn behind_words(line: &[u8], proven: bool, members: &mut Vec<String>) -> Option<Vec<Entry>> {
    let text = trim_end(line);
    if !text.ends_with(b"}") || !(proven || is_log(text)) {
        return None;
    }
    let at = find(text, b"{\"")?;
    document(&text[at..], members).map(|(entries, _)| entries)
}

/// The message in a line that is a part of a document: `"text",` or `"message": "text",`.
pub(super) fn part(line: &[u8]) -> Option<Vec<Entry>> {
    let text = trim_end(trim_start(line));
    if text.starts_with(b"\"") {
        let mut stream = serde_json::Deserializer::from_slice(text).into_iter::<String>();
        let first = stream.next()?.ok()?;
        let rest = text[stream.byte_offset()..].trim_ascii_start();
        let closed = |rest: &[u8]| rest.iter().all(|byte| b",]}+\\;) ".contains(byte));
        if closed(rest) {
            return Some(vec![plain(first)]);
        }
        let value = rest.strip_prefix(b":")?;
        let mut stream = serde_json::Deserializer::from_slice(value).into_iter::<String>();
        let message = stream.next()?.ok()?;
        let known = MESSAGES.contains(&first.as_str()) || anchor(message.as_bytes()).is_some();
        return (known && closed(&value[stream.byte_offset()..])).then(|| vec![plain(message)]);
    }
    None
}

fn plain(text: String) -> Entry {
    Entry { text: without_newline(text.into_bytes()), usec: None, wall: None, host: None }
}

/// Whether a text speaks of an OOM in the kernel's words.
fn is_log(text: &[u8]) -> bool {
    anchor(text).is_some() || contains(text, b" invoked oom-killer:")
}

/// Collects the messages of a value; no, if it has none.
fn walk(value: &Value, entries: &mut Vec<Entry>, members: &mut Vec<String>) -> bool {
    match value {
        Value::Object(object) => match message(object, members) {
            Some(text) => {
                if !is_foreign(object) {
                    entries.push(entry(text, object));
                }
                true
            }
            None => {
                let before = entries.len();
                let mut found = false;
                for (name, value) in object.members() {
                    found |= match value {
                        Value::Text(text) => {
                            let log = text_entry(text, entries);
                            // A line, not a whole log.
                            if log && members.len() < NAMES && !text.trim_end().contains('\n') {
                                members.push(name.to_string());
                            }
                            log
                        }
                        Value::List(_) | Value::Object(_) => walk(value, entries, members),
                        _ => false,
                    };
                }
                // The time of a message may stand beside the object that holds it.
                for added in &mut entries[before..] {
                    added.wall = added.wall.take().or_else(|| time(object));
                    added.host = added.host.take().or_else(|| host(object));
                }
                found
            }
        },
        Value::List(list) => {
            let mut found = false;
            for value in list {
                found |= match value {
                    // Loki's pairs of nanoseconds and line.
                    Value::Text(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => false,
                    Value::Text(text) => {
                        entries.push(plain(text.clone()));
                        true
                    }
                    value => walk(value, entries, members),
                };
            }
            found
        }
        _ => false,
    }
}

/// A whole kernel log in one string, whatever its name.
fn text_entry(text: &str, entries: &mut Vec<Entry>) -> bool {
    let log = is_log(text.as_bytes());
    if log {
        entries.push(plain(text.to_string()));
    }
    log
}

fn entry(text: Vec<u8>, object: &Object) -> Entry {
    let number = |key: &str| object.get(key)?.as_str()?.parse().ok();
    Entry { text, usec: number("_SOURCE_MONOTONIC_TIMESTAMP"), wall: time(object), host: host(object) }
}

fn host(object: &Object) -> Option<String> {
    let named = |value: &Value| match value {
        Value::Object(inner) => inner.get("name").and_then(Value::as_str).map(str::to_string),
        value => value.as_str().map(str::to_string),
    };
    HOSTS.iter().find_map(|key| named(object.get(key)?))
}

fn time(object: &Object) -> Option<String> {
    TIMES.iter().find_map(|key| object.get(key)?.as_str()).map(str::to_string)
}

/// Whether an entry is somebody else's than the kernel's.
fn is_foreign(object: &Object) -> bool {
    let named = |key: &str, kernel: &str| object.get(key).is_some_and(|value| value.as_str() != Some(kernel));
    named("_TRANSPORT", "kernel") || named("SYSLOG_IDENTIFIER", "kernel")
}

/// The message, which some collectors put into an object of its own (`jsonPayload`, `log`).
fn message(object: &Object, members: &[String]) -> Option<Vec<u8>> {
    let names = MESSAGES.into_iter().chain(members.iter().map(String::as_str));
    names.into_iter().find_map(|name| bytes(object.get(name)?))
}

/// Text, or the list of numbers that journald writes where it is not UTF-8.
fn bytes(value: &Value) -> Option<Vec<u8>> {
    match value {
        Value::Text(text) => Some(without_newline(text.clone().into_bytes())),
        Value::List(list) => {
            let byte = |value: &Value| match value {
                Value::Number(number) => u8::try_from(*number).ok(),
                _ => None,
            };
            list.iter().map(byte).collect::<Option<_>>().filter(|text: &Vec<u8>| !text.is_empty()).map(without_newline)
        }
        _ => None,
    }
}

fn without_newline(mut text: Vec<u8>) -> Vec<u8> {
    if text.last() == Some(&b'\n') {
        text.pop();
    }
    text
}

/// A text without the escapes of a JSON string.
pub(super) fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        if first != b'\\' {
            plain.push(first);
            continue;
        }
        match after {
            [byte @ (b'"' | b'/' | b'\\'), tail @ ..] => {
                plain.push(*byte);
                rest = tail;
            }
            [b't', tail @ ..] => {
                plain.push(b'\t');
                rest = tail;
            }
            [b'u', tail @ ..] if tail.len() >= 4 => {
                let code = std::str::from_utf8(&tail[..4]).ok().and_then(|code| u32::from_str_radix(code, 16).ok());
                match code.and_then(char::from_u32) {
                    Some(character) => {
                        plain.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                        rest = &tail[4..];
                    }
                    None => plain.push(first),
                }
            }
            _ => plain.push(first),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_many_loggers() {
        let texts = |line: &[u8]| {
            document(line, &mut Vec::new())
                .map(|(entries, _)| entries.into_iter().map(|entry| entry.text).collect::<Vec<_>>())
        };
        assert_eq!(texts(br#"{"log":"a \"b\"\n","stream":"stdout"}"#), Some(vec![b"a \"b\"".to_vec()]));
        assert_eq!(texts(br#"{"MESSAGE":[97,255],"_TRANSPORT":"kernel"} "#), Some(vec![vec![97, 255]]));
        assert_eq!(texts(br#"{"jsonPayload":{"message":"a"},"labels":{}}"#), Some(vec![b"a".to_vec()]));
        let dump = texts(br#"{"host":"h","dmesg":"x\na invoked oom-killer: b"}"#).unwrap();
        assert_eq!(dump[0].len(), 25);
        assert_eq!(texts(br#"{"MESSAGE":"a","_TRANSPORT":"stdout"}"#), Some(vec![]));
        assert_eq!(texts(br#"{"MESSAGE":"a","SYSLOG_IDENTIFIER":"app"}"#), Some(vec![]));
        let loki = br#"{"streams":[{"stream":{"job":"k"},"values":[["17","a"],["18","b"]]}]}"#;
        assert_eq!(texts(loki), Some(vec![b"a".to_vec(), b"b".to_vec()]));
        let own = br#"[{"txt":"a"},{"txt":"b invoked oom-killer: c"},{"txt":"d"}]"#;
        assert_eq!(texts(own).map(|texts| texts.len()), Some(3), "the name is learnt");
        for line in [&b"{}"[..], b"{\"MESSAGE\":7}", b"{\"MESSAGE\":[300]}", b"{", b"a{}", b"{\"MESSAGE\":\"a\"} x"] {
            assert_eq!(texts(line), None, "{}", String::from_utf8_lossy(line));
        }
        let (read, _) =
            document(br#"{"MESSAGE":"a","_SOURCE_MONOTONIC_TIMESTAMP":"12","time":"t"}"#, &mut Vec::new()).unwrap();
        assert_eq!((read[0].usec, read[0].wall.as_deref()), (Some(12), Some("t")));
    }

    #[test]
    fn parts_of_a_document() {
        let text =
            |line: &str| part(line.as_bytes()).map(|entries| String::from_utf8(entries[0].text.clone()).unwrap());
        assert_eq!(text("    \"a b\","), Some("a b".to_string()));
        assert_eq!(text("  \"message\": \"a\\tb\","), Some("a\tb".to_string()));
        assert_eq!(text("  \"host\": \"a\","), None);
        assert_eq!(text("say \"a\""), None);
        let object = |line: &str, proven| {
            behind_words(line.as_bytes(), proven, &mut Vec::new()).map(|entries| entries[0].text.len())
        };
        assert_eq!(object("data: {\"log\":\"a invoked oom-killer: b\"}", false), Some(23));
        assert_eq!((object("data: {\"log\":\"a\"}", false), object("data: {\"log\":\"a\"}", true)), (None, Some(1)));
    }

    #[test]
    fn escapes() {
        assert_eq!(unescaped(br#"\"a\\x0a\" \u003cb\u003e \q"#), br#""a\x0a" <b> \q"#);
    }
}
