//! Logs of one JSON object a line: journalctl -o json, docker's json-file driver, and what collectors make of them.

use super::value::{Object, Value};

/// What one such line holds.
pub(super) struct Entry {
    /// The message, without the newline at its end.
    pub text: Vec<u8>,
    /// The kernel's clock, in microseconds.
    pub usec: Option<u64>,
    /// The calendar time, as the logger wrote it.
    pub wall: Option<String>,
}

/// The message of a line that is an object with one; `Some(None)` where it is somebody else's than the kernel's.
pub(super) fn entry(line: &[u8]) -> Option<Option<Entry>> {
    let line = line.trim_ascii();
    if !(line.starts_with(b"{") && line.ends_with(b"}")) {
        return None;
    }
    let Ok(Value::Object(object)) = serde_json::from_slice(line) else { return None };
    let text = message(&object).or_else(|| dump(&object))?;
    let named = |key: &str, kernel: &str| object.get(key).is_some_and(|value| value.as_str() != Some(kernel));
    if named("_TRANSPORT", "kernel") || named("SYSLOG_IDENTIFIER", "kernel") {
        return Some(None);
    }
    let number = |key: &str| object.get(key)?.as_str()?.parse().ok();
    let wall = ["time", "timestamp", "@timestamp", "ts"].iter().find_map(|key| object.get(key)?.as_str());
    Some(Some(Entry { text, usec: number("_SOURCE_MONOTONIC_TIMESTAMP"), wall: wall.map(str::to_string) }))
}

/// The message, which some collectors put into an object of its own (`jsonPayload`, `log`).
fn message(object: &Object) -> Option<Vec<u8>> {
    let of = |object: &Object| ["MESSAGE", "log", "message", "msg"].iter().find_map(|key| bytes(object.get(key)?));
    of(object).or_else(|| object.values().filter_map(Value::as_object).find_map(of))
}

/// A whole kernel log in one string, whatever its name.
fn dump(object: &Object) -> Option<Vec<u8>> {
    let is_log = |text: &&Value| {
        text.as_str().is_some_and(|text| {
            text.contains('\n') && text.contains("out of memory: Kill") || text.contains("invoked oom-killer:")
        })
    };
    object.values().find(is_log).and_then(bytes)
}

/// Text, or the list of numbers that journald writes where it is not UTF-8.
fn bytes(value: &Value) -> Option<Vec<u8>> {
    let mut text = match value {
        Value::Text(text) => text.clone().into_bytes(),
        Value::List(list) => {
            let byte = |value: &Value| match value {
                Value::Number(number) => u8::try_from(*number).ok(),
                _ => None,
            };
            list.iter().map(byte).collect::<Option<_>>()?
        }
        _ => return None,
    };
    if text.last() == Some(&b'\n') {
        text.pop();
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_many_loggers() {
        let text = |line: &[u8]| entry(line).map(|entry| entry.map(|entry| entry.text));
        assert_eq!(text(br#"{"log":"a \"b\"\n","stream":"stdout"}"#), Some(Some(b"a \"b\"".to_vec())));
        assert_eq!(text(br#"{"MESSAGE":[97,255],"_TRANSPORT":"kernel"} "#), Some(Some(vec![97, 255])));
        assert_eq!(text(br#"{"jsonPayload":{"message":"a"},"labels":{}}"#), Some(Some(b"a".to_vec())));
        assert_eq!(
            text(br#"{"host":"h","dmesg":"x\na invoked oom-killer: b"}"#).flatten().map(|text| text.len()),
            Some(25)
        );
        assert_eq!(text(br#"{"MESSAGE":"a","_TRANSPORT":"stdout"}"#), Some(None));
        assert_eq!(text(br#"{"MESSAGE":"a","SYSLOG_IDENTIFIER":"app"}"#), Some(None));
        for line in [&b"{}"[..], b"{\"MESSAGE\":7}", b"{\"MESSAGE\":[300]}", b"{", b"a{}", b"{\"MESSAGE\":\"a\"} x"] {
            assert_eq!(text(line), None, "{}", String::from_utf8_lossy(line));
        }
        let read = entry(br#"{"MESSAGE":"a","_SOURCE_MONOTONIC_TIMESTAMP":"12","time":"t"}"#).flatten().unwrap();
        assert_eq!((read.usec, read.wall.as_deref()), (Some(12), Some("t")));
    }
}
