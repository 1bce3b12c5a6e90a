//! The rooms of core/src: a file names rooms of a lower rank and its own, nothing else (ARCHITECTURE.md, "The rooms").

#[path = "rooms/circles.rs"]
mod circles;
#[path = "rooms/lengths.rs"]
mod lengths;
#[path = "rooms/readme.rs"]
mod readme;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Every room and its rank. `lib.rs` stands above them all.
const ROOMS: &[(&str, u32)] = &[
    ("sys", 0),
    ("map", 0),
    ("order", 0),
    ("text", 0),
    ("error", 1),
    ("wait", 2),
    ("memcg", 2),
    ("observe", 3),
    ("helper", 4),
    ("account", 4),
    ("lab", 5),
    ("pressure", 6),
    ("fuzzing", 7),
];

/// What names a room that it should not: the file and the room. The list only gets shorter.
const EXCEPTIONS: &[(&str, &str)] = &[];

#[test]
fn every_file_names_lower_rooms_alone() {
    let rank: BTreeMap<&str, u32> = ROOMS.iter().copied().collect();
    let mut found = BTreeSet::new();
    for source in sources() {
        let (room, named) = (source.module.first().expect("a room"), source.named());
        assert!(
            rank.contains_key(room.as_str()),
            "{} is in no room: give it one, with a rank, in this test",
            source.file
        );
        for other in named.iter().filter(|other| *other != room && rank[other.as_str()] >= rank[room.as_str()]) {
            found.insert((source.file.clone(), other.clone()));
        }
    }
    let excepted: BTreeSet<(String, String)> =
        EXCEPTIONS.iter().map(|(file, room)| ((*file).to_string(), (*room).to_string())).collect();
    let new: Vec<_> = found.difference(&excepted).collect();
    assert!(new.is_empty(), "these files name a room of no lower rank than their own: {new:#?}");
    let done: Vec<_> = excepted.difference(&found).collect();
    assert!(done.is_empty(), "these hold by now; take them out of EXCEPTIONS: {done:#?}");
}

/// Accounts are a pure function of signs: whatever else they need is asked of the scene, so that a recording can answer.
#[test]
fn accounts_touch_neither_clock_nor_proc_nor_descriptors() {
    for source in sources().iter().filter(|source| source.module[0] == "account") {
        assert!(!source.named().contains("sys"), "{} names sys", source.file);
        for word in
            ["Instant", "SystemTime", "Fd", "std::fs", "task::Proc", "nix::poll", "nix::fcntl", "File::", "env::"]
        {
            let mut code = source.text.lines().filter(|line| !line.trim_start().starts_with("//"));
            assert_eq!(code.find(|line| line.contains(word)), None, "{}", source.file);
        }
    }
}

#[test]
fn a_path_is_told_from_the_room_in_which_it_ends() {
    let doors =
        Doors::read("pub use error::{Error, Result};\npub mod memcg {\n    pub use crate::lab::group::Group;\n}\n");
    let source = |module: &str, text: &str| {
        let module = module.split("::").map(str::to_string).collect();
        Source { file: "a file".to_string(), module, text: without_tests(text).0, doors: doors.clone() }.named()
    };
    let rooms = |names: &[&str]| names.iter().map(|name| (*name).to_string()).collect::<BTreeSet<_>>();
    assert_eq!(
        source("lab::hub", "use crate::{Error, map::Map};\nuse super::super::sys;"),
        rooms(&["error", "map", "sys"])
    );
    assert_eq!(source("memcg::v1", "use crate::memcg::{Dir, Group};\nuse super::Dir;"), rooms(&["lab", "memcg"]));
    assert_eq!(
        source("memcg::v1", "fn f() { crate::observe::mark(); super::super::super::x(); }"),
        rooms(&["observe"])
    );
    assert_eq!(
        source("map", "#[cfg(test)]\nmod tests {\n    use crate::lab::Lab;\n}\n// crate::sys\n"),
        rooms(&["sys"])
    );
    assert_eq!(source("map", "#[cfg(test)]\nuse crate::lab::Lab;\nuse crate::text;\n"), rooms(&["text"]));
}

/// One file of core/src, without its tests.
struct Source {
    file: String,
    /// The module that it is: `["lab", "hub", "state"]`.
    module: Vec<String>,
    text: String,
    doors: Doors,
}

/// The names that lib.rs hands on, and the room from which each comes.
#[derive(Clone, Default)]
struct Doors {
    /// `Error` to `error`.
    top: BTreeMap<String, String>,
    /// `memcg`, `Group` to `lab`, for what a public door shows of another room.
    inner: BTreeMap<(String, String), String>,
}

impl Doors {
    fn read(lib: &str) -> Doors {
        let mut doors = Doors::default();
        let mut door = None;
        for (start, line) in lines(lib) {
            if let Some(name) = line.strip_prefix("pub mod ").and_then(|line| line.strip_suffix(" {")) {
                door = Some(name.to_string());
            } else if line == "}" {
                door = None;
            }
            let Some(at) = line.trim_start().strip_prefix("pub use ").map(|rest| start + line.len() - rest.len())
            else {
                continue;
            };
            for path in expanded(&lib[at..]) {
                let name = path.last().expect("a name").clone();
                match &door {
                    None => drop(doors.top.insert(name, path[0].clone())),
                    Some(door) if path[0] == "crate" => {
                        doors.inner.insert((door.clone(), name), path[1].clone());
                    }
                    Some(_) => {}
                }
            }
        }
        doors
    }
}

impl Source {
    /// The rooms that the file names, by `crate::` or by `super::`.
    fn named(&self) -> BTreeSet<String> {
        let mut named = BTreeSet::new();
        for word in ["crate::", "super::"] {
            for (at, _) in self.text.match_indices(word) {
                // In the middle of a path (`super::super::`) or of a word, it was seen already.
                let before = self.text[..at].chars().next_back().unwrap_or(' ');
                if before.is_alphanumeric() || before == '_' || before == ':' {
                    continue;
                }
                for path in expanded(&self.text[at..]) {
                    named.extend(self.room_of(&path));
                }
            }
        }
        named
    }

    fn room_of(&self, path: &[String]) -> Option<String> {
        let mut module: &[String] = &self.module;
        let mut rest = path;
        while let Some((first, after)) = rest.split_first() {
            match first.as_str() {
                "crate" => module = &[],
                // From an inline module within the file one more `super` leads only as far as the file itself.
                "super" => module = module.split_last()?.1,
                _ => break,
            }
            rest = after;
        }
        let absolute: Vec<&str> = module.iter().chain(rest).map(String::as_str).collect();
        let first = *absolute.first()?;
        let second = absolute.get(1).map_or("", |name| name);
        let shown = self.doors.inner.get(&(first.to_string(), second.to_string()));
        let known = ROOMS.iter().any(|(room, _)| *room == first).then(|| first.to_string());
        shown.cloned().or(known).or_else(|| self.doors.top.get(first).cloned())
    }
}

/// The paths that begin with a use tree: `a::{b, c::d}` is `a::b` and `a::c::d`.
fn expanded(text: &str) -> Vec<Vec<String>> {
    let mut paths = Vec::new();
    expand(text, &[], &mut paths);
    paths
}

/// Gives back what follows the tree.
fn expand<'a>(text: &'a str, above: &[String], paths: &mut Vec<Vec<String>>) -> &'a str {
    let mut path = above.to_vec();
    let mut text = text;
    loop {
        let end = text.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '*').unwrap_or(text.len());
        if end > 0 {
            path.push(text[..end].to_string());
        }
        text = &text[end..];
        if let Some(rest) = text.strip_prefix("::") {
            text = rest;
        } else if end == 0 && text.starts_with('{') {
            let mut rest = &text[1..];
            loop {
                rest = expand(rest.trim_start(), &path, paths).trim_start();
                if let Some(alias) = rest.strip_prefix("as ") {
                    rest = alias.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_').trim_start();
                }
                match rest.strip_prefix(',') {
                    Some(more) if !more.trim_start().starts_with('}') => rest = more,
                    _ => break,
                }
            }
            return rest.trim_start_matches(',').trim_start().strip_prefix('}').unwrap_or(rest);
        } else {
            if path.len() > above.len() {
                paths.push(path);
            }
            return text;
        }
    }
}

/// Each line and where it begins.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.split_inclusive('\n').scan(0, |at, line| {
        let start = *at;
        *at += line.len();
        Some((start, line.trim_end()))
    })
}

/// The text without what stands behind `#[cfg(test)]`, and the modules that are tests in files of their own.
fn without_tests(text: &str) -> (String, Vec<String>) {
    let (mut kept, mut files) = (String::new(), Vec::new());
    let mut rest = text.lines();
    while let Some(line) = rest.next() {
        if line.trim_start() != "#[cfg(test)]" {
            kept.push_str(line);
            kept.push('\n');
            continue;
        }
        let indent = line.len() - line.trim_start().len();
        let item = rest.by_ref().find(|line| !line.trim_start().starts_with("#[")).unwrap_or_default();
        if let Some(name) = item.trim().strip_suffix(';').and_then(|item| item.rsplit_once("mod ")) {
            files.push(name.1.to_string());
        } else if !item.ends_with(';') && !item.ends_with('}') {
            // rustfmt puts the end of an item as far in as its beginning.
            let _ = rest.by_ref().find(|line| {
                line.len() - line.trim_start().len() == indent && line.trim_start().starts_with(['}', ')'])
            });
        }
    }
    (kept, files)
}

/// Every file of core/src that is no test.
fn sources() -> Vec<Source> {
    let doors = Doors::read(&fs::read_to_string(top().join("core/src/lib.rs")).expect("lib.rs"));
    let (mut found, mut tests) = (Vec::new(), BTreeSet::new());
    for (file, text) in rust_files(&["core/src"]) {
        let file = file.strip_prefix("core/src/").expect("below core/src").to_string();
        let (text, of_tests) = without_tests(&text);
        for name in of_tests {
            // `mod tests;` of a.rs is a/tests.rs, or beside it by its `#[path]`.
            tests.insert(file.replace(".rs", &format!("/{name}.rs")));
            tests.insert(format!("{}/{name}.rs", Path::new(&file).parent().expect("a folder").display()));
        }
        let module = file.trim_end_matches(".rs").split('/').map(str::to_string).collect();
        found.push(Source { file, module, text, doors: doors.clone() });
    }
    let is_test = |file: &str| file == "lib.rs" || file.ends_with("_tests.rs") || tests.contains(file);
    found.retain(|source| !is_test(&source.file));
    assert!(found.len() > 100, "only {} files were found", found.len());
    found
}

fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace")
}

/// Every Rust file below these folders of the repository: its path from the top, and its text.
fn rust_files(folders: &[&str]) -> Vec<(String, String)> {
    let mut folders: Vec<PathBuf> = folders.iter().map(|folder| top().join(folder)).collect();
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of sources") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let file = path.strip_prefix(top()).expect("below the top").to_str().expect("a plain name").to_string();
                found.push((file, fs::read_to_string(&path).expect("a source")));
            }
        }
    }
    found
}
