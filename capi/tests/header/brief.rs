//! Comments without what the head of the header says once for all of them, and declarations on as few lines as they need.

/// What the head of the header promises for every item, so that no item repeats it.
const DEFAULTS: &[&str] = &[
    "Thread safety: any thread.",
    "Thread safety: no other thread may use it any more.",
    "Thread safety: it never changes, so any number of threads may read it; a forked child may too.",
    "Thread safety: it never changes, so any number of threads may read it.",
    "Since 0.1.",
];
const WIDTH: usize = 110;

/// The lines of a comment without its marks and without the defaults; empty lines at its ends are gone.
pub fn lines(comment: &[String], parameters: usize) -> Vec<String> {
    let bare = comment.iter().map(|line| {
        let line = line.trim();
        let line = line.strip_prefix("/**").or_else(|| line.strip_prefix("*/")).unwrap_or(line);
        let line = line.strip_suffix("*/").unwrap_or(line);
        line.strip_prefix("* ").or_else(|| line.strip_prefix('*')).unwrap_or(line).trim_end().to_string()
    });
    let mut kept: Vec<String> = Vec::new();
    for line in bare {
        let text = line.trim();
        let repeated = DEFAULTS.contains(&text)
            || text.starts_with("Ownership: borrowed from the ") && text.ends_with('.')
            || text.starts_with("\\param reterr_error") && text.ends_with("where the error goes on failure, or NULL")
            || parameters == 1 && text.starts_with("\\param") && text.ends_with(", or NULL");
        if repeated || text.is_empty() && kept.last().is_none_or(|last| last.trim().is_empty()) {
            continue;
        }
        // The result of a getter stands right below what it gives.
        let apart = kept.last().is_some_and(|last| last.trim().is_empty());
        if parameters == 1 && text.starts_with("Returns: ") && kept.len() < 3 && apart {
            kept.pop();
        }
        kept.push(line);
    }
    while kept.last().is_some_and(|last| last.trim().is_empty()) {
        kept.pop();
    }
    kept
}

/// A comment as C has it: on one line where it fits.
pub fn comment(lines: &[String], indent: &str) -> String {
    if let [only] = lines {
        let one = format!("{indent}/** {} */", only.trim());
        if one.len() <= WIDTH {
            return one + "\n";
        }
    }
    let mut text = format!("{indent}/**\n");
    for line in lines {
        text.push_str(format!("{indent} * {line}").trim_end());
        text.push('\n');
    }
    text + indent + " */\n"
}

/// A function's declaration, filled to the width.
pub fn declaration(code: &[String]) -> String {
    let flat = code.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ");
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
