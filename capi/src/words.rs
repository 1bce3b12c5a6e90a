//! What a C programmer calls it: messages of the core name calls and options by the core's own names.

/// A name as remedies and reasons of the core have it, and what stands for it in C. `wait()` alone would be read as wait(2).
const WORDS: &[(&str, &str)] = &[
    ("wait() says", "memoom_worker_wait says"),
    ("group.kill()", "memoom_group_kill"),
    ("ask for one with grow", "ask for one with memoom_hog_grow"),
    ("wait for it with finish", "wait for it with memoom_hog_finish"),
    ("resume with the killer", "memoom_group_resume with the killer"),
    ("force_empty, which", "memoom_group_force_empty, which"),
    ("v2 has reclaim", "v2 has memoom_group_reclaim"),
    ("LabOptions.record", "memoom_lab_options.record"),
    ("(helper_dir)", "(memoom_lab_options.helper_dir)"),
    ("(swap = max)", "(swap_bytes = MEMOOM_UNLIMITED)"),
    ("`memoom gc` removes", "memoom_gc removes"),
];

/// A message with C's names.
pub(crate) fn in_c(message: String) -> String {
    WORDS
        .iter()
        .fold(message, |message, (core, c)| if message.contains(core) { message.replace(core, c) } else { message })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::fmt::Write as _;
    use std::fs;
    use std::path::Path;

    /// The sources of the core in one text, without the lines of comments and what the sources' line breaks add.
    fn core(directory: &Path) -> String {
        let mut text = String::new();
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                text += &core(&path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                for line in fs::read_to_string(&path).unwrap().lines().filter(|line| !line.trim().starts_with("//")) {
                    writeln!(text, "{line}").unwrap();
                }
            }
        }
        text
    }

    fn sources() -> String {
        core(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/src"))
    }

    #[test]
    fn every_row_stands_for_something_that_the_core_says() {
        let sources = sources();
        for (word, c) in WORDS {
            assert!(sources.contains(word), "the core does not say {word:?} any more");
            assert_eq!(&in_c(word.to_string()), c);
        }
    }

    #[test]
    fn every_function_that_a_row_names_is_in_the_header() {
        let header = include_str!("../../include/memoom.h");
        for (_, c) in WORDS {
            let named = c.split(|sign: char| !sign.is_ascii_alphanumeric() && sign != '_');
            for name in named.filter(|name| name.starts_with("memoom_") || name.starts_with("MEMOOM_")) {
                assert!(header.contains(name), "{name}");
            }
        }
    }

    #[test]
    fn no_remedy_leaves_a_call_of_the_core_by_its_bare_name() {
        let sources = sources();
        // What stands in a remedy as `name()`.
        for remedy in sources.split(".remedy(").skip(1).filter_map(|rest| rest.split('"').nth(1)) {
            let said = in_c(remedy.to_string());
            let bare = said.split(' ').find(|word| word.contains("()") && !word.contains("memoom_"));
            assert_eq!(bare, None, "in {said:?}");
        }
    }

    #[test]
    fn a_remedy_names_the_function_of_c() {
        let said = in_c("grow: worker h (pid 7) has ended; remedy: wait() says how it ended".to_string());
        assert!(said.ends_with("remedy: memoom_worker_wait says how it ended"), "{said}");
    }
}
