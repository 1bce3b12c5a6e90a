//! Just enough of C to read our own header: its items, their comments, the functions and their parameters.

/// A function of the header.
pub struct Function {
    pub name: String,
    pub comment: String,
    pub declaration: String,
    pub parameters: Vec<String>,
    pub is_void: bool,
    pub must_use: bool,
}

impl Function {
    /// Whether a parameter is an output that the caller owns then.
    pub fn makes(&self, parameter: &str) -> bool {
        parameter.starts_with("ret_") && self.declaration.contains(&format!("**{parameter}"))
    }
}

/// The lines of the header outside its inline helpers, as blocks of (comment, code).
fn blocks(header: &str) -> Vec<(String, String)> {
    let mut blocks = Vec::new();
    let (mut comment, mut code) = (String::new(), String::new());
    let mut inside = false;
    let mut depth = 0i32;
    for line in header.lines() {
        let text = line.trim();
        if text.starts_with("/*") && depth == 0 {
            inside = true;
            comment.clear();
        }
        if inside {
            comment.push_str(text.trim_start_matches(['/', '*']).trim_end_matches(['/', '*']).trim());
            comment.push('\n');
            inside = !text.ends_with("*/");
            continue;
        }
        if text.contains("extern \"C\"") {
            // Its braces hold all functions.
            continue;
        }
        if text.is_empty() && depth == 0 && code.is_empty() {
            comment.clear();
            continue;
        }
        if text.is_empty() {
            continue;
        }
        // The comment of a value stands behind it where there is room.
        let (text, behind) = text.split_once(" /**<").unwrap_or((text, ""));
        if !behind.is_empty() {
            comment = behind.trim_end_matches(['*', '/']).trim().to_string();
        }
        code.push_str(text);
        code.push(' ');
        if ["#if", "#else", "#endif"].iter().any(|condition| code.starts_with(condition)) {
            // The comment before a condition belongs to what stands in it.
            code.clear();
            continue;
        }
        depth += count(text, '{') - count(text, '}');
        let directive = code.starts_with('#');
        let over =
            if directive { !text.ends_with('\\') } else { depth <= 0 && (text.ends_with(';') || text.ends_with('}')) };
        if over {
            blocks.push((std::mem::take(&mut comment), std::mem::take(&mut code)));
            depth = 0;
        }
    }
    blocks
}

fn count(text: &str, wanted: char) -> i32 {
    text.chars().filter(|&c| c == wanted).count() as i32
}

/// Every function that the library exports.
pub fn functions(header: &str) -> Vec<Function> {
    let mut functions = Vec::new();
    for (comment, code) in blocks(header) {
        if !code.contains('(') || code.starts_with('#') || code.starts_with("typedef") || code.starts_with("static") {
            continue;
        }
        let (head, rest) = code.split_once('(').expect("a parenthesis");
        let name = head.rsplit([' ', '*']).next().unwrap_or_default().to_string();
        let inner = rest.rsplit_once(')').map_or("", |(inner, _)| inner);
        let parameters = inner
            .split(',')
            .filter_map(|one| one.trim().rsplit([' ', '*']).next())
            .filter(|one| *one != "void" && !one.is_empty());
        functions.push(Function {
            parameters: parameters.map(str::to_string).collect(),
            is_void: head.trim_start().starts_with("void "),
            must_use: head.contains("MEMOOM_MUST_USE"),
            declaration: code.clone(),
            name,
            comment,
        });
    }
    functions
}

/// Every item without a comment: defines, types, fields, functions, inline helpers.
pub fn undocumented(header: &str) -> Vec<String> {
    let mut bare = Vec::new();
    for (comment, code) in blocks(header) {
        let own = code.starts_with("#define MEMOOM_") && !code.starts_with("#define MEMOOM_H ")
            || code.starts_with("typedef")
            || code.starts_with("static")
            || code.contains("memoom_") && !code.starts_with('#');
        if own && comment.trim().is_empty() {
            bare.push(code);
        }
    }
    // Fields stand inside their block: each line of a struct that ends in ";" needs a comment right before it.
    let mut last = "";
    let mut in_struct = false;
    for line in header.lines().map(str::trim) {
        if line.starts_with("typedef struct") && line.ends_with('{') {
            in_struct = true;
        } else if line.starts_with('}') {
            in_struct = false;
        } else if in_struct && !line.starts_with(['*', '/']) && line.ends_with(';') && !last.ends_with("*/") {
            bare.push(line.to_string());
        }
        last = line;
    }
    bare
}
