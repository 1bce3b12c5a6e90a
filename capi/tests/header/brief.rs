//! Comments without what the head of the header says once for all of them, and on as few lines as they need.
//!
//! The sources say all of it with each function, and the tests hold them to that; who reads a function in the header has
//! its head to read.

/// What the head of the header promises for every item, so that no item repeats it.
const DEFAULTS: &[&str] = &[
    "Thread safety: any thread.",
    "Thread safety: no other thread may use it any more.",
    "Thread safety: it never changes, so any number of threads may read it; a forked child may too.",
    "Thread safety: it never changes, so any number of threads may read it.",
    "Since 0.1.",
];
/// What any fallible call may give: the head says when.
const RESULTS: &[&str] = &[
    "MEMOOM_OK",
    "MEMOOM_ERR_INVALID_INPUT for NULL",
    "MEMOOM_ERR_INVALID_INPUT for NULL or a struct without its size",
    "MEMOOM_ERR_INVALID_INPUT for NULL or an opened group",
    "MEMOOM_ERR_NOT_FOUND where the group was removed",
    "MEMOOM_ERR_NOT_FOUND where it was removed",
    "MEMOOM_ERR_PERMISSION_DENIED",
    "MEMOOM_ERR_CLOSED",
    "MEMOOM_ERR_IO",
    "MEMOOM_ERR_PANIC",
];
/// How the comment of an object begins whose calls the head speaks of, and what follows the name of its `_free`.
const ANY_CALL: &str = "Thread safety: calls may come from any thread";
const AFTER_FREE: [&str; 2] = [".", ". After a fork the child must not use it."];
const LABELS: &[&str] = &["\\param ", "Returns: ", "Ownership: ", "Thread safety: ", "Needs: ", "Since "];
const WIDTH: usize = 120;

/// A piece of a comment.
enum Part {
    /// A paragraph, a parameter, or what stands behind one label.
    Text(String),
    /// A line of an example, as it is.
    Code(String),
    /// An empty line.
    Break,
}

/// The lines of a comment without its marks and without what the head says; each paragraph filled to the width.
pub fn lines(comment: &[String], indent: &str) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    for part in parts(&bare(comment)) {
        match part {
            Part::Code(line) => kept.push(line),
            Part::Break => kept.push(String::new()),
            Part::Text(text) => kept.extend(said(&text).map(|text| filled(&text, indent)).unwrap_or_default()),
        }
    }
    // An empty line stands between two paragraphs. A label is seen to begin something without one.
    let is_label = |line: &str| LABELS.iter().any(|label| line.starts_with(label));
    let mut lines: Vec<String> = Vec::new();
    for (index, line) in kept.iter().enumerate() {
        let next = kept[index..].iter().find(|line| !line.is_empty());
        let apart = lines.last().is_some_and(|last| !last.is_empty()) && next.is_some_and(|next| !is_label(next));
        if !line.is_empty() || apart {
            lines.push(line.clone());
        }
    }
    lines
}

/// The lines of a comment without its marks.
pub fn bare(comment: &[String]) -> Vec<String> {
    let bare = comment.iter().map(|line| {
        let line = line.trim();
        let line = line.strip_prefix("/**").or_else(|| line.strip_prefix("*/")).unwrap_or(line);
        let line = line.strip_suffix("*/").unwrap_or(line);
        line.strip_prefix("* ").or_else(|| line.strip_prefix('*')).unwrap_or(line).trim_end().to_string()
    });
    bare.collect()
}

fn parts(lines: &[String]) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut in_code = false;
    for line in lines {
        let text = line.trim();
        let is_code = in_code || text.starts_with("\\code");
        in_code = is_code && !text.starts_with("\\endcode");
        let begins = text.starts_with("- ") || LABELS.iter().any(|label| text.starts_with(label));
        match parts.last_mut() {
            _ if is_code => parts.push(Part::Code(line.clone())),
            _ if text.is_empty() => parts.push(Part::Break),
            Some(Part::Text(last)) if !begins => *last = format!("{last} {text}"),
            _ => parts.push(Part::Text(text.to_string())),
        }
    }
    parts
}

/// What is left of a paragraph without what the head says; `None` for nothing.
fn said(text: &str) -> Option<String> {
    if DEFAULTS.contains(&text)
        || text.strip_prefix(ANY_CALL).is_some_and(is_any_call)
        || text.strip_prefix("\\param ").is_some_and(is_plain)
    {
        return None;
    }
    if let Some(owner) = text.strip_prefix("Ownership: ") {
        let one = owner.strip_suffix('.').filter(|owner| !owner.contains(". "));
        let frees = |rest: &str| rest.ends_with("_free") && !rest.contains(';');
        let ends = |rest: &str| rest.split_once("; ").is_none_or(|(_, rest)| rest.ends_with(" with it"));
        let repeated = one.is_some_and(|one| {
            one.starts_with("borrowed from the ")
                || one.strip_prefix("free the ").is_some_and(frees)
                || one.strip_prefix("takes the ").is_some_and(ends)
        });
        return (!repeated).then(|| text.to_string());
    }
    let Some(results) = text.strip_prefix("Returns: ").filter(|results| results.starts_with("MEMOOM_OK")) else {
        return Some(text.to_string());
    };
    let results = results.trim_end_matches('.').split("; ");
    let left: Vec<&str> = results.filter(|result| !RESULTS.contains(result)).collect();
    (!left.is_empty()).then(|| format!("Returns: {}.", left.join("; ")))
}

fn is_any_call(rest: &str) -> bool {
    let rest = rest.strip_prefix(" at any time").unwrap_or(rest).strip_prefix(", except memoom_").unwrap_or_default();
    rest.split_once("_free").is_some_and(|(_, rest)| AFTER_FREE.contains(&rest))
}

/// Whether what is said of a parameter is no more than its type and its name tell.
fn is_plain(parameter: &str) -> bool {
    let words: Vec<&str> = parameter.split_whitespace().collect();
    let (name, about) = (words[0], words[1..].join(" "));
    let noun = |about: &str| {
        let words: Vec<&str> = about.split(' ').collect();
        words.len() == 2 && ["the", "a", "an"].contains(&words[0])
    };
    match name.strip_prefix("ret_") {
        Some(output) => about == format!("where the {output} goes") || about == format!("where the {output} go"),
        None if name == "reterr_error" => true,
        None => {
            let object = about.strip_suffix(", which does nothing").unwrap_or(&about);
            about == format!("the {name}") || object.strip_suffix(", or NULL").is_some_and(noun)
        }
    }
}

/// A paragraph on lines of the width.
fn filled(text: &str, indent: &str) -> Vec<String> {
    let width = WIDTH - indent.len() - "/**  */".len();
    let mut lines = vec![String::new()];
    for (index, word) in text.split_whitespace().enumerate() {
        let last = lines.last_mut().expect("a line");
        if last.is_empty() {
            last.push_str(word);
        } else if last.len() + 1 + word.len() > width {
            lines.push(word.to_string());
        } else {
            // The name of a parameter stands apart.
            last.push_str(if index == 2 && text.starts_with('\\') { "  " } else { " " });
            last.push_str(word);
        }
    }
    lines
}

/// A comment as C has it, its marks on the lines of the text.
pub fn comment(lines: &[String], indent: &str) -> String {
    let mut text = format!("{indent}/**");
    for (index, line) in lines.iter().enumerate() {
        let mark = if index == 0 { String::new() } else { format!("\n{indent} *") };
        text.push_str(&mark);
        if !line.is_empty() {
            text.push_str(&format!(" {line}"));
        }
    }
    // The end of an example stands alone.
    let alone = lines.last().is_some_and(|last| last.starts_with("\\endcode"));
    text + &if alone { format!("\n{indent} */\n") } else { " */\n".to_string() }
}

/// A value with its comment behind it, where both fit on a line.
pub fn beside(code: &str, lines: &[String]) -> Option<String> {
    let [only] = lines else { return None };
    let line = format!("{code} /**< {only} */");
    (line.len() <= WIDTH && !code.contains('\n')).then(|| line + "\n")
}

/// A function's declaration, its types by their one-word names, filled to the width.
pub fn declaration(code: &[String]) -> String {
    let flat = code.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ").replace("struct ", "");
    let Some((head, rest)) = flat.split_once('(').filter(|_| flat.len() > WIDTH) else { return flat + "\n" };
    let mut text = format!("{head}(");
    let mut width = text.len();
    let arguments: Vec<&str> = rest.trim_end_matches(");").split(", ").collect();
    for (index, argument) in arguments.iter().enumerate() {
        let piece = format!("{argument}{}", if index + 1 == arguments.len() { ");" } else { "," });
        if index > 0 && width + 1 + piece.len() > WIDTH {
            text.push_str("\n    ");
            width = 4;
        } else if index > 0 {
            text.push(' ');
            width += 1;
        }
        width += piece.len();
        text.push_str(&piece);
    }
    text + "\n"
}
