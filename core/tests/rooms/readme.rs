//! tests/README.md names every file of core/tests and of python/tests, and nothing that is not there.

use std::fs;

use super::top;

#[test]
fn tests_readme_names_every_test_of_core_and_python() {
    let readme = fs::read_to_string(top().join("tests/README.md")).expect("tests/README.md");
    let section = |heading: &str| {
        let (_, rest) = readme.split_once(&format!("\n## {heading}\n")).expect("a section");
        rest.split("\n## ").next().unwrap_or_default()
    };
    for (folder, beginning, ending) in [("core/tests", "", ".rs"), ("python/tests", "test_", ".py")] {
        let mut named: Vec<&str> = section(folder)
            .lines()
            .filter_map(|line| line.strip_prefix("| ")?.split(" | ").next())
            .flat_map(|cell| cell.split('`').filter(|name| name.ends_with(ending)))
            .collect();
        let mut there: Vec<String> = fs::read_dir(top().join(folder))
            .expect("a folder of tests")
            .map(|entry| entry.expect("an entry").file_name().into_string().expect("a plain name"))
            .filter(|name| name.starts_with(beginning) && name.ends_with(ending))
            .collect();
        named.sort_unstable();
        there.sort_unstable();
        assert!(there.len() > 20);
        assert_eq!(named, there, "tests/README.md, {folder}");
    }
}
