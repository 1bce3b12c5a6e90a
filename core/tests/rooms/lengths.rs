//! How long a file and a function may be (CONTRIBUTING.md, "House rules"), in all Rust of the repository.

use std::collections::BTreeSet;

use super::rust_files;

const FILE_LINES: usize = 400;
const FUNCTION_LINES: usize = 60;

const FOLDERS: &[&str] =
    &["core/src", "core/helper", "core/tests", "capi/src", "capi/tests", "python/src", "examples/rust"];

/// Files that are longer as yet. The list only gets shorter.
const LONG_FILES: &[&str] = &[];

/// Functions that are longer as yet, by file and name. The list only gets shorter.
const LONG_FUNCTIONS: &[(&str, &str)] = &[];

#[test]
fn no_file_has_over_400_lines() {
    let found: BTreeSet<String> = rust_files(FOLDERS)
        .into_iter()
        .filter(|(_, text)| text.lines().count() > FILE_LINES)
        .map(|(file, _)| file)
        .collect();
    same(&found, &LONG_FILES.iter().map(|file| (*file).to_string()).collect());
}

#[test]
fn no_function_has_over_60_lines_without_a_reason() {
    let mut found = BTreeSet::new();
    let files = rust_files(FOLDERS);
    assert!(files.len() > 300, "only {} files were found", files.len());
    for (file, text) in files {
        found.extend(long_functions(&text).into_iter().map(|name| format!("{file}: {name}")));
    }
    same(&found, &LONG_FUNCTIONS.iter().map(|(file, name)| format!("{file}: {name}")).collect());
}

#[test]
fn a_reason_is_told_from_none() {
    let body = "    go();\n".repeat(FUNCTION_LINES - 2);
    let fits = format!("pub(crate) fn fits() {{\n{body}}}\n");
    assert_eq!(long_functions(&fits), [""; 0]);
    let long = format!(
        "impl It {{\n    /// What it does.\n    #[must_use]\n    pub fn long(&self,\n    ) {{\n{body}\n    }}\n}}\n"
    );
    assert_eq!(long_functions(&long), ["long"]);
    assert_eq!(long_functions(&long.replace("    /// What", "    // Long: one table.\n    /// What")), [""; 0]);
    assert_eq!(long_functions(&long.replace("    /// What", "    // Long:\n    /// What")), ["long"], "no reason");
    // A line of macros, and what only looks like a function.
    assert_eq!(long_functions(&format!("type It = fn(u8);\n// fn none() {{\n{body}{body}")), [""; 0]);
}

/// What is too long is exactly what the list has.
fn same(found: &BTreeSet<String>, listed: &BTreeSet<String>) {
    let new: Vec<_> = found.difference(listed).collect();
    assert!(new.is_empty(), "too long: {new:#?}");
    let done: Vec<_> = listed.difference(found).collect();
    assert!(done.is_empty(), "these are short enough by now; take them out of the list: {done:#?}");
}

/// The functions over the limit, from `fn` to the brace that ends them, that no `// Long: REASON` stands before.
fn long_functions(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    let mut long = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some(name) = function(line) else { continue };
        let indent = &line[..line.len() - line.trim_start().len()];
        // rustfmt puts the end of a function as far in as its beginning.
        let is_end = |line: &&str| {
            let rest = line.strip_prefix(indent).unwrap_or_default();
            rest == "}" || rest.starts_with(')') && rest.ends_with(';')
        };
        let is_one_line = line.ends_with('}') || line.ends_with(';');
        let end = if is_one_line { Some(0) } else { lines[at..].iter().position(is_end) };
        let before = lines[..at].iter().rev().take_while(|line| line.trim_start().starts_with(['/', '#']));
        let reason = before.filter_map(|line| line.trim_start().strip_prefix("// Long: ")).next();
        if end.is_some_and(|end| end + 1 > FUNCTION_LINES) && reason.is_none() {
            long.push(name.to_string());
        }
    }
    long
}

/// The name of the function that begins on a line.
fn function(line: &str) -> Option<&str> {
    let (before, after) = line.trim_start().split_once("fn ")?;
    let known = ["pub", "pub(crate)", "pub(super)", "const", "unsafe", "extern", "\"C\""];
    let is_function = before.split_whitespace().all(|word| known.contains(&word) || word.starts_with("pub(in"));
    let end = after.find(|c: char| !c.is_alphanumeric() && c != '_')?;
    (is_function && end > 0).then(|| &after[..end])
}
