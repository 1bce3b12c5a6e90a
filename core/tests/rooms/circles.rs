//! Circles: no file needs another that needs it again. A file and what stands below it (`a.rs` and `a/`) are one thing: a part
//! names its whole, and the whole its parts. Every other way back is a circle.

use std::collections::{BTreeMap, BTreeSet};

use super::{expanded, rust_files, without_tests};

/// The crates, and the file with which each begins.
const CRATES: &[(&str, &str)] =
    &[("core/src", "lib"), ("core/helper", "main"), ("capi/src", "lib"), ("python/src", "lib")];

/// Files that stand in a circle as yet. The list only gets shorter.
const EXCEPTIONS: &[&str] = &[];

#[test]
fn no_file_needs_another_that_needs_it_again() {
    let (mut found, mut arrows) = (BTreeSet::new(), Vec::new());
    for (folder, first) in CRATES {
        let files = rust_files(&[folder]).into_iter().map(|(file, text)| {
            let file = file.strip_prefix(folder).expect("below the folder").trim_start_matches('/').to_string();
            (file.trim_end_matches(".rs").to_string(), text)
        });
        let files = Files::read(files.collect(), first);
        assert!(files.texts.len() > 10, "only {} files were found in {folder}", files.texts.len());
        for circle in files.circles() {
            found.extend(circle.iter().map(|module| format!("{folder}/{}.rs", module.join("/"))));
            for (module, needed) in files.arrows().iter().filter(|(module, _)| circle.contains(*module)) {
                let needed: Vec<_> = needed.intersection(&circle).map(|other| other.join("/")).collect();
                arrows.push(format!("{folder}: {} needs {}", module.join("/"), needed.join(", ")));
            }
        }
    }
    let excepted: BTreeSet<String> = EXCEPTIONS.iter().map(|file| (*file).to_string()).collect();
    assert_eq!(found, excepted, "the circles: {arrows:#?}");
}

#[test]
fn a_circle_is_told_from_a_whole_and_its_parts() {
    let circles = |files: &[(&str, &str)]| -> Vec<Vec<String>> {
        let files = files.iter().map(|(name, text)| ((*name).to_string(), (*text).to_string())).collect();
        let names = |circle: BTreeSet<Module>| circle.iter().map(|module| module.join("/")).collect();
        Files::read(files, "lib").circles().into_iter().map(names).collect()
    };
    let none: [[&str; 2]; 0] = [];
    let lib = ("lib", "mod a;\nmod b;\nmod c {\n    pub(crate) mod d;\n    pub use d::Inner;\n}\n");
    let d = ("c/d", "use crate::a::x;\n");
    assert_eq!(circles(&[lib, ("a", "use crate::b::x;\n"), ("b", "fn f() {}\n")]), none);
    assert_eq!(circles(&[lib, ("a", "use crate::b::x;\n"), ("b", "fn f() { super::a::g(); }\n")]), [["a", "b"]]);
    // By a name that is handed on, once and twice, and by one that a use has brought.
    assert_eq!(circles(&[lib, ("a", "use crate::c::Inner;\n"), d]), [["a", "c/d"]]);
    let door = ("b", "pub use crate::c::{Inner};\n");
    assert_eq!(circles(&[lib, ("a", "use super::b::Inner;\n"), door, d]), [["a", "c/d"]]);
    assert_eq!(circles(&[lib, ("a", "use crate::c;\nfn f() -> c::Inner {}\n"), d]), [["a", "c/d"]]);
    // Comments and tests need what they like.
    assert_eq!(circles(&[lib, ("a", "// crate::c::Inner\n#[cfg(test)]\nuse crate::c::Inner;\n"), d]), none);
    // A part names its whole; but who needs the part needs with it what the whole does.
    let (whole, part) =
        (("a", "mod part;\nuse self::part::Part;\nuse crate::b::f;\n"), ("a/part", "use super::Whole;\n"));
    assert_eq!(circles(&[lib, whole, part, ("b", "fn f() {}\n")]), none);
    let around = circles(&[lib, whole, part, ("b", "use crate::a::part::Part;\n")]);
    assert_eq!(around, [["a", "a/part", "b"]]);
    // Two parts of one whole are two files.
    let (one, two) = (("a/one", "use super::two::f;\n"), ("a/two", "use crate::a::one::g;\n"));
    assert_eq!(circles(&[lib, ("a", "mod one;\nmod two;\n"), one, two]), [["a/one", "a/two"]]);
}

/// The path of a module: `["lab", "hub", "state"]`.
type Module = Vec<String>;
type Arrows = BTreeMap<Module, BTreeSet<Module>>;

/// The files of one crate.
struct Files {
    /// By module, without tests and comments.
    texts: BTreeMap<Module, String>,
    /// What the uses of a module bring into it, by module and name: the path as it is written there.
    brought: BTreeMap<(Module, String), Module>,
}

impl Files {
    fn read(files: Vec<(String, String)>, first: &str) -> Files {
        let (mut texts, mut tests) = (BTreeMap::new(), BTreeSet::new());
        for (name, text) in files {
            let module: Module = if name == first { Vec::new() } else { name.split('/').map(str::to_string).collect() };
            let (text, of_tests) = without_tests(&text);
            for test in of_tests {
                tests.insert([module.clone(), vec![test.clone()]].concat());
                // By its `#[path]`, beside the file.
                tests.insert([&module[..module.len().saturating_sub(1)], &[test]].concat());
            }
            texts.insert(module, without_comments(&text));
        }
        texts.retain(|module, _| {
            let is_test = |at: usize| tests.contains(&module[..at]);
            !(1..=module.len()).any(is_test) && !module.last().is_some_and(|name| name.ends_with("_tests"))
        });
        let brought = texts.iter().flat_map(|(module, text)| uses(module, text)).collect();
        Files { texts, brought }
    }

    /// Whose file has what that path names, seen from a module; `None` for another crate's.
    fn place_of(&self, from: &Module, path: &[String], steps: usize) -> Option<Module> {
        let mut at = from.clone();
        let mut rest = path;
        while let Some((name, after)) = rest.split_first() {
            match name.as_str() {
                "self" => {}
                "crate" => at.clear(),
                "super" => drop(at.pop()?),
                _ => break,
            }
            rest = after;
        }
        while let Some((name, after)) = rest.split_first() {
            let below = [at.clone(), vec![name.clone()]].concat();
            // The first of those that come after it is one of those below it.
            if !self.texts.range(below.clone()..).next().is_some_and(|(module, _)| module.starts_with(&below)) {
                break;
            }
            (at, rest) = (below, after);
        }
        let name = rest.first();
        let handed_on = name.and_then(|name| self.brought.get(&(at.clone(), name.clone())));
        match handed_on {
            Some(written) if steps > 0 => {
                self.place_of(&at, &[written.clone(), rest[1..].to_vec()].concat(), steps - 1)
            }
            // The first file hands names on, and is no more than a floor plan.
            _ => Some(at).filter(|at| !at.is_empty() && self.texts.contains_key(at)),
        }
    }

    fn arrows(&self) -> Arrows {
        let mut arrows = Arrows::new();
        for (module, text) in self.texts.iter().filter(|(module, _)| !module.is_empty()) {
            let known = |head: &str| {
                matches!(head, "crate" | "super" | "self")
                    || self.texts.contains_key(&[module.clone(), vec![head.to_string()]].concat())
                    || self.brought.contains_key(&(module.clone(), head.to_string()))
            };
            let needed = paths(text).into_iter().filter(|path| known(&path[0]));
            let needed = needed.filter_map(|path| self.place_of(module, &path, 8)).filter(|other| other != module);
            arrows.insert(module.clone(), needed.collect());
        }
        arrows
    }

    fn circles(&self) -> Vec<BTreeSet<Module>> {
        let all = self.arrows();
        let mut strict = all.clone();
        for (module, needed) in &mut strict {
            needed.retain(|other| !module.starts_with(other));
        }
        let mut found = knots(&strict);
        let within_one =
            |knot: &BTreeSet<Module>| knot.iter().any(|whole| knot.iter().all(|one| one.starts_with(whole)));
        let around: Vec<_> = knots(&all).into_iter().filter(|knot| !within_one(knot)).collect();
        found
            .extend(around.into_iter().filter(|knot| !found.iter().any(|one| one.is_subset(knot))).collect::<Vec<_>>());
        found
    }
}

/// The sets of modules of which each leads to each.
fn knots(arrows: &Arrows) -> Vec<BTreeSet<Module>> {
    let reached: Arrows = arrows.keys().map(|module| (module.clone(), reach(arrows, module))).collect();
    let mut found: Vec<BTreeSet<Module>> = Vec::new();
    for (module, others) in &reached {
        let knot: BTreeSet<Module> = others.iter().filter(|other| reached[*other].contains(module)).cloned().collect();
        if knot.len() > 1 && !found.contains(&knot) {
            found.push(knot);
        }
    }
    found
}

/// All to which a module leads.
fn reach(arrows: &Arrows, from: &Module) -> BTreeSet<Module> {
    let (mut seen, mut left) = (BTreeSet::new(), vec![from]);
    while let Some(module) = left.pop() {
        left.extend(arrows.get(module).into_iter().flatten().filter(|other| seen.insert((*other).clone())));
    }
    seen
}

/// What the uses of a file bring: into the module that it is, and into the modules that it writes out.
fn uses(module: &Module, text: &str) -> Vec<((Module, String), Module)> {
    let (mut found, mut at) = (Vec::new(), module.clone());
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let words = line.trim_start().trim_start_matches("pub(crate) ").trim_start_matches("pub(super) ");
        let words = words.trim_start_matches("pub ");
        if let Some(name) = words.trim_end().strip_prefix("mod ").and_then(|line| line.strip_suffix(" {")) {
            at = [module.clone(), vec![name.to_string()]].concat();
        } else if line.trim_end() == "}" {
            at.clone_from(module);
        } else if words.starts_with("use ") {
            let tree = start + line.len() - words.len() + "use ".len();
            for path in expanded(&text[tree..]) {
                found.push(((at.clone(), path.last().expect("a name").clone()), path));
            }
        }
        start += line.len();
    }
    found
}

/// Every path of two names or more, each branch of a use tree by itself.
fn paths(text: &str) -> Vec<Vec<String>> {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let mut found = Vec::new();
    for (end, _) in text.match_indices("::") {
        let head = text[..end].rfind(|c| !is_name(c)).map_or(0, |at| at + 1);
        if head < end && !text[..head].ends_with(':') {
            found.extend(expanded(&text[head..]));
        }
    }
    found
}

fn without_comments(text: &str) -> String {
    let code = |line: &str| match line.find("//") {
        Some(at) if !line[..at].contains('"') => line[..at].to_string(),
        _ => line.to_string(),
    };
    text.lines().map(code).collect::<Vec<_>>().join("\n")
}
