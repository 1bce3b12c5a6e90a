//! Every field of every log written by hand: the whole document stands in tests/logs/golden, read and judged by a person.

use std::collections::BTreeSet;

use super::{log, logs, parse_reports, reports_to_json};

/// The document with line breaks between reports, fields, and the entries of lists; nothing else is changed, so that equal
/// text is an equal document.
fn readable(document: &str) -> String {
    let mut out = String::with_capacity(document.len() * 2);
    let mut open: Vec<char> = Vec::new();
    let (mut in_text, mut escaped) = (false, false);
    let broken = |open: &[char]| open.len() <= 3 || (open.len() == 4 && open[3] == '[');
    let newline = |out: &mut String, depth: usize| {
        out.push('\n');
        out.extend(std::iter::repeat_n(' ', depth));
    };
    let mut characters = document.chars().peekable();
    while let Some(character) = characters.next() {
        if in_text {
            out.push(character);
            in_text = escaped || character != '"';
            escaped = !escaped && character == '\\';
            continue;
        }
        match character {
            '{' | '[' => {
                out.push(character);
                open.push(character);
                if broken(&open) && !matches!(characters.peek(), Some('}' | ']')) {
                    newline(&mut out, open.len());
                }
            }
            '}' | ']' => {
                if broken(&open) && !out.ends_with(['{', '[']) {
                    newline(&mut out, open.len() - 1);
                }
                open.pop();
                out.push(character);
            }
            ',' => {
                out.push(character);
                if broken(&open) {
                    newline(&mut out, open.len());
                }
            }
            _ => {
                in_text = character == '"';
                out.push(character);
            }
        }
    }
    out.push('\n');
    out
}

#[test]
fn every_field_of_every_log_written_by_hand() {
    let golden = logs().join("golden");
    let update = std::env::var_os("MEMOOM_UPDATE").is_some_and(|value| value == "1");
    let names = |directory: &str, endings: &[&str]| -> BTreeSet<String> {
        std::fs::read_dir(logs().join(directory))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| endings.iter().any(|ending| name.ends_with(ending)))
            .collect()
    };
    let made = names("made", &[".log", ".kmsg"]);
    let mut wrong = Vec::new();
    for name in &made {
        let seen = readable(&reports_to_json(&parse_reports(&log(&format!("made/{name}")))));
        let file = golden.join(format!("{name}.json"));
        if update {
            std::fs::write(&file, &seen).unwrap();
        }
        let expected = std::fs::read_to_string(&file).unwrap_or_default();
        let different = seen.lines().zip(expected.lines()).find(|(seen, expected)| seen != expected);
        if seen != expected {
            wrong.push(format!("{name}: {different:?}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "MEMOOM_UPDATE=1 writes them anew, to be read before they are kept:\n{}",
        wrong.join("\n")
    );
    let kept: BTreeSet<String> =
        names("golden", &[".json"]).iter().map(|name| name.trim_end_matches(".json").to_string()).collect();
    assert_eq!(kept, made, "one golden document for each log");
}

#[test]
fn line_breaks_change_nothing() {
    let document = r#"{"a":"x, {\"} [\\","b":[{"c":[],"d":[{"e":[1,2]}]}]}"#;
    let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    let shown = readable(document);
    assert_eq!(value(&shown), value(document));
    assert!(shown.lines().count() > 8 && shown.contains(r#"{"e":[1,2]}"#), "{shown}");
}
