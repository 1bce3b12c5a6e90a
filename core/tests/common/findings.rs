//! Accounts of OOMs and what they find: the codes, their words, and which of them are not said.

use std::sync::Arc;

use memoom::{Finding, GrowStatus, Hog, Oom, Watch};

use super::LONG;

/// Has it grow until its step is cut short: by its own death, or as nothing more is to be had.
pub fn grow_to_the_end(hog: &Hog) {
    while hog.grow(None, LONG).unwrap().status == GrowStatus::Grew {}
}

pub fn next_oom(watch: &mut Watch) -> Arc<Oom> {
    let oom = watch.wait_oom(LONG).unwrap().expect("an account");
    println!("{:?}: {}", oom.findings.iter().map(|one| one.code).collect::<Vec<_>>(), oom.summary);
    oom
}

/// The finding of that code, whose numbers stand in the document, with its remedy.
pub fn found<'a>(oom: &'a Oom, code: &str) -> &'a Finding {
    let finding = oom.findings.iter().find(|one| one.code == code);
    let finding = finding.unwrap_or_else(|| panic!("{code} is not said: {}", oom.to_json()));
    assert!(!finding.evidence.is_empty() && finding.remedy.is_some(), "{finding:?}");
    finding
}

pub fn lacks(oom: &Oom, codes: &[&str]) {
    let said = oom.findings.iter().find(|one| codes.contains(&one.code));
    assert!(said.is_none(), "{said:?} is said: {}", oom.to_json());
}

/// A text that has these words in it.
pub fn says(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "{word}: {text}");
    }
}
