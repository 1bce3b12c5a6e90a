//! The header in the order of life: what cbindgen writes by kind, told again by noun, each with its types, options and
//! values before its functions.

use crate::brief;
use crate::life::{self, SECTIONS};

/// What an item is, in the order in which a section has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Opaque,
    Value,
    Type,
    Function,
}

/// One declaration with its comment.
struct Item {
    name: String,
    rank: Rank,
    /// Its section, and where in it.
    place: (usize, usize),
    comment: Vec<String>,
    code: Vec<String>,
}

/// Begins after the guard's first lines and includes; what stands before it is kept as it is.
const FIRST: &str = "/* -- items -- */";
/// Between what cbindgen writes and what cbindgen.toml adds.
const GUARD: &str = "/* -- added -- */";

/// The header, arranged.
///
/// # Panics
/// With what is to be done, where an item has no section.
pub fn arranged(generated: &str) -> String {
    written(generated, brief::lines)
}

/// The same with all that the sources say of each item.
pub fn whole(generated: &str) -> String {
    written(generated, |comment, _| brief::bare(comment))
}

/// The lines of a comment, made of those that cbindgen writes, at an indent.
type Lines = fn(&[String], &str) -> Vec<String>;

fn written(generated: &str, lines: Lines) -> String {
    let (head, rest) = generated.split_once(FIRST).expect("the mark in cbindgen.toml");
    let (main, added) = rest.split_once(GUARD).expect("the second mark in cbindgen.toml");
    let mut items = items(main);
    items.extend(self::items(added));
    items.sort_by_key(|item| (item.place.0, item.rank, item.place.1));
    hoist(&mut items);

    let mut text = head.trim_end().to_string() + "\n\n#ifdef __cplusplus\nextern \"C\" {\n#endif\n";
    let mut section = usize::MAX;
    for item in &items {
        if item.place.0 != section {
            section = item.place.0;
            text.push_str(&banner(section));
        }
        text.push_str(&show(item, lines));
    }
    text + "\n#ifdef __cplusplus\n} /* extern \"C\" */\n#endif\n\n#endif /* MEMOOM_H */\n"
}

/// The titles in the order in which they stand in a header.
pub fn titles(header: &str) -> Vec<&str> {
    let mut lines = header.lines();
    let mut titles = Vec::new();
    while let Some(line) = lines.next() {
        if line.starts_with("/* ====") {
            titles.extend(lines.next().map(|title| title.trim_start_matches([' ', '*'])));
        }
    }
    titles
}

fn banner(section: usize) -> String {
    let (line, section) = ("=".repeat(104), &SECTIONS[section]);
    format!("\n/* {line}\n * {}\n *\n * {}\n * {line} */\n", section.title, section.about)
}

/// The declarations of a text, each with the comment before it; conditions and what is only C++ are left out.
fn items(text: &str) -> Vec<Item> {
    let mut items = Vec::new();
    let (mut comment, mut code) = (Vec::new(), Vec::new());
    let (mut inside, mut depth) = (false, 0);
    for line in text.lines() {
        let bare = line.trim();
        if depth == 0 && code.is_empty() && (inside || bare.starts_with("/**")) {
            if !inside {
                comment.clear();
            }
            comment.push(line.to_string());
            inside = !bare.ends_with("*/");
            continue;
        }
        let foreign = ["#if", "#endif", "extern", "/*"].iter().any(|start| bare.starts_with(start));
        if code.is_empty() && (bare.is_empty() || foreign || bare.starts_with('}')) {
            continue;
        }
        code.push(line.to_string());
        let says = !bare.starts_with(['/', '*']);
        depth += if says { bare.matches('{').count() as i32 - bare.matches('}').count() as i32 } else { 0 };
        let over = match code[0].starts_with("#define") {
            true => !bare.ends_with('\\'),
            false => depth == 0 && bare.ends_with([';', '}']),
        };
        if over {
            items.push(item(std::mem::take(&mut comment), std::mem::take(&mut code)));
            depth = 0;
        }
    }
    items
}

fn item(comment: Vec<String>, code: Vec<String>) -> Item {
    let flat = code.join(" ");
    let word = |text: &str| text.trim_matches(|c: char| !c.is_alphanumeric() && c != '_').to_string();
    let (name, rank) = if let Some(rest) = flat.strip_prefix("#define ") {
        let name = word(rest.split_whitespace().next().unwrap_or_default());
        // The start of a struct stands with the struct, a value with the values.
        let rank = if name.ends_with("_INIT") { Rank::Type } else { Rank::Value };
        (name, rank)
    } else if flat.starts_with("typedef") && flat.contains("(*") {
        (word(flat.split("(*").nth(1).and_then(|rest| rest.split(')').next()).unwrap_or_default()), Rank::Type)
    } else if flat.starts_with("typedef") {
        let name = word(flat.rsplit(' ').next().unwrap_or_default());
        let rank = match (flat.starts_with("typedef struct"), flat.contains('{')) {
            (true, false) => Rank::Opaque,
            (true, true) => Rank::Type,
            (false, _) => Rank::Value,
        };
        (name, rank)
    } else {
        (
            word(flat.split('(').next().and_then(|head| head.rsplit([' ', '*']).next()).unwrap_or_default()),
            Rank::Function,
        )
    };
    // What frees by cleanup stands behind what frees.
    let noun = if name.ends_with("_freep") { &name[..name.len() - 1] } else { &name };
    let Some(place) = life::place(noun) else { panic!("give {name} a section in capi/tests/header/life.rs") };
    Item { name, rank, place, comment, code }
}

/// Brings each type before the first item that names it.
fn hoist(items: &mut Vec<Item>) {
    let mut index = 0;
    while index < items.len() {
        let flat = uncommented(&items[index].code);
        let later = (index + 1..items.len()).find(|&later| {
            let candidate = &items[later];
            let is_type = candidate.code[0].starts_with("typedef");
            is_type && !items[index].code[0].starts_with("#define") && mentions(&flat, &candidate.name)
        });
        match later {
            // It may need others itself, so it is looked at next.
            Some(later) => {
                let mut needed = items.remove(later);
                needed.place.0 = items[index].place.0;
                items.insert(index, needed);
            }
            None => index += 1,
        }
    }
}

fn uncommented(code: &[String]) -> String {
    let kept = code.iter().filter(|line| !line.trim().starts_with(['/', '*']));
    kept.cloned().collect::<Vec<_>>().join(" ")
}

fn mentions(text: &str, name: &str) -> bool {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == name)
}

/// An item as the header has it, with an empty line before what is longer than a line.
fn show(item: &Item, lines: Lines) -> String {
    let lines_said = lines(&item.comment, "");
    let said = brief::comment(&lines_said, "");
    let code = match item.rank {
        Rank::Function if item.code[0].starts_with("static") => item.code.join("\n") + "\n",
        Rank::Function => brief::declaration(&item.code),
        Rank::Type if item.code.len() > 1 && item.code[0].contains('{') => fields(&item.code, lines),
        Rank::Value if item.code.len() == 1 => parenthesized(&item.code[0]) + "\n",
        _ => item.code.join("\n") + "\n",
    };
    // What frees by cleanup stands with what frees, and the start of a struct with the struct.
    let helper = item.code[0].starts_with("static") || item.name.ends_with("_INIT") && item.rank == Rank::Type;
    let joins = item.rank == Rank::Value || helper;
    let apart = if joins { "" } else { "\n" };
    if item.rank == Rank::Value && item.code[0].starts_with("#define") {
        if let Some(line) = brief::beside(code.trim_end(), &lines_said) {
            return line;
        }
    }
    format!("{apart}{said}{code}")
}

/// The fields of a struct, each comment on one line where it fits.
fn fields(code: &[String], lines: Lines) -> String {
    let mut text = String::new();
    let mut comment: Vec<String> = Vec::new();
    for line in code {
        let bare = line.trim();
        if bare.starts_with(['/', '*']) {
            comment.push(line.clone());
            continue;
        }
        if !comment.is_empty() {
            text.push_str(&brief::comment(&lines(&std::mem::take(&mut comment), "    "), "    "));
        }
        text.push_str(line);
        text.push('\n');
    }
    text
}

/// A negative constant in parentheses, so that it stays one value wherever it is put.
fn parenthesized(define: &str) -> String {
    match define.rsplit_once(' ') {
        Some((head, value)) if define.starts_with("#define") && value.starts_with('-') => format!("{head} ({value})"),
        _ => define.to_string(),
    }
}
