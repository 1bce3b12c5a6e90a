//! include/memoom.h is what the sources say, whole, documented, and the same as what the library exports.

use std::path::{Path, PathBuf};

#[path = "header/brief.rs"]
mod brief;
#[path = "header/life.rs"]
mod life;
#[path = "header/order.rs"]
mod order;
#[path = "header/text.rs"]
mod text;

fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The header as the sources have it now.
fn generated() -> String {
    order::arranged(&bindings())
}

/// What cbindgen makes of the sources.
fn bindings() -> String {
    let crate_dir = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = cbindgen::Config::from_file(crate_dir.join("cbindgen.toml")).expect("cbindgen.toml");
    let bindings = cbindgen::Builder::new().with_crate(crate_dir).with_config(config).generate().expect("the sources");
    let mut bytes = Vec::new();
    bindings.write(&mut bytes);
    named(&String::from_utf8(bytes).expect("a header of UTF-8"))
}

/// Lists of names are the core's own: in the comments of the sources a mark stands for each.
fn named(text: &str) -> String {
    let list = |names: &[&str]| names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
    let named = text
        .replace("<the sources of events>", &list(&memoom::Source::NAMES))
        .replace("<the kinds of events>", &list(memoom::EventKind::NAMES));
    assert!(!named.contains("<the "), "a mark that stands for nothing");
    named
}

/// The header that the other tests read; while it is being rewritten, what it will be.
fn committed() -> String {
    if std::env::var_os("MEMOOM_UPDATE").is_some() {
        return generated();
    }
    std::fs::read_to_string(top().join("include/memoom.h")).unwrap_or_default()
}

#[test]
fn the_committed_header_is_fresh() {
    let generated = generated();
    if std::env::var_os("MEMOOM_UPDATE").is_some() {
        std::fs::create_dir_all(top().join("include")).expect("include/");
        std::fs::write(top().join("include/memoom.h"), &generated).expect("include/memoom.h");
    }
    let committed = std::fs::read_to_string(top().join("include/memoom.h")).unwrap_or_default();
    if let Some((line, (old, new))) =
        committed.lines().zip(generated.lines()).enumerate().find(|(_, (old, new))| old != new)
    {
        panic!("include/memoom.h, line {}:\n  has  {old}\n  needs {new}\nMEMOOM_UPDATE=1 rewrites it", line + 1);
    }
    assert!(
        committed == generated,
        "include/memoom.h is shorter or longer than it must be; MEMOOM_UPDATE=1 rewrites it"
    );
}

#[test]
fn every_item_has_a_comment() {
    let header = committed();
    let bare = text::undocumented(&header);
    assert!(bare.is_empty(), "without a comment: {bare:#?}");
}

#[test]
fn every_function_says_what_it_takes_gives_and_owns() {
    // In the sources: what the head of the header says for all is left out of the header alone.
    let header = order::whole(&bindings());
    // `make docs` makes the pages of it.
    if let Some(path) = std::env::var_os("MEMOOM_WHOLE_HEADER") {
        std::fs::write(path, &header).expect("the header with all that the sources say");
    }
    let mut wrong = Vec::new();
    assert!(text::functions(&header).len() > 150, "the functions were found");
    for function in text::functions(&header) {
        for parameter in &function.parameters {
            if !function.comment.contains(&format!("\\param {parameter} ")) {
                wrong.push(format!("{}: \\param {parameter}", function.name));
            }
        }
        let mut parts = Vec::new();
        if !function.is_void {
            parts.push("Returns: ");
        }
        if function.parameters.iter().any(|name| function.makes(name)) {
            parts.push("Ownership: ");
        }
        for part in parts {
            if !function.comment.contains(part) {
                wrong.push(format!("{}: {part}", function.name));
            }
        }
        // Object and inputs, then outputs, then the error. The room of a buffer stands behind it, as in read(2).
        let rank = |name: &String| match name.as_str() {
            "reterr_error" => 2,
            name if name.starts_with("ret_") || name == "capacity" => 1,
            _ => 0,
        };
        if !function.parameters.is_sorted_by_key(rank) {
            wrong.push(format!("{}: an input after an output", function.name));
        }
        if function.parameters.iter().any(|name| name == "reterr_error") {
            if function.parameters.last().map(String::as_str) != Some("reterr_error") {
                wrong.push(format!("{}: reterr_error is not last", function.name));
            }
            if !function.must_use {
                wrong.push(format!("{}: not MEMOOM_MUST_USE", function.name));
            }
        }
    }
    assert!(wrong.is_empty(), "missing: {wrong:#?}");
}

/// The header grows by what is new, not by what is said again.
const MOST_LINES: usize = 3400;

#[test]
fn it_is_no_longer_than_it_has_to_be() {
    let lines = committed().lines().count();
    assert!(lines <= MOST_LINES, "include/memoom.h has {lines} lines, and {MOST_LINES} at most");
}

#[test]
fn it_is_told_in_the_order_of_life() {
    let header = committed();
    let wanted: Vec<&str> = life::SECTIONS.iter().map(|section| section.title).collect();
    assert_eq!(order::titles(&header), wanted);
    let functions = text::functions(&header);
    let first = functions.iter().find(|function| function.name != "memoom_status_name").expect("functions");
    assert_eq!(first.name, "memoom_run", "the one call comes first");
    let places: Vec<_> = functions.iter().map(|function| life::place(&function.name).expect("a section")).collect();
    assert!(places.is_sorted(), "a function stands before one of an earlier place");
}

#[test]
fn comments_are_for_c_readers() {
    let header = committed();
    for (number, line) in header.lines().enumerate() {
        for foreign in ["`", "[Self", "](", "::", "Option<", "# Safety", "# Errors"] {
            assert!(!line.contains(foreign), "line {}: {foreign:?} in {line}", number + 1);
        }
    }
}

#[test]
fn a_comment_names_what_there_is() {
    let header = committed();
    let lines = header.lines().flat_map(|line| match line.split_once("/**<") {
        Some((code, said)) => vec![code.to_string(), format!("/{said}")],
        None => vec![line.trim().to_string()],
    });
    let (said, code): (Vec<String>, Vec<String>) = lines.partition(|line| line.starts_with(['*', '/']));
    let code = code.join("\n");
    let words = said.iter().flat_map(|line| line.split(|sign: char| !sign.is_ascii_alphanumeric() && sign != '_'));
    // What ends in "_" is the beginning of several.
    let unknown: Vec<&str> = words
        .filter(|word| word.starts_with("memoom_") || word.starts_with("MEMOOM_"))
        .filter(|word| !code.contains(word))
        .collect();
    assert!(unknown.is_empty(), "not in the header: {unknown:?}");
}

#[test]
fn every_owned_object_can_be_freed_by_cleanup() {
    let header = committed();
    for function in text::functions(&header).iter().filter(|function| function.name.ends_with("_free")) {
        let freep = format!("{}p(", function.name);
        assert!(header.contains(&freep), "{freep} is missing");
    }
}
