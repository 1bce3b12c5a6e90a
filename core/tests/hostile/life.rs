//! A whole life of a lab in surroundings of its own: a group, hogs, an OOM with its account, a command, the end.

use std::path::Path;

use memoom::{Command, GrowStatus, HogOptions, Host, Lab, LabOptions, Limits, Verdict};

use super::common::LONG;

/// Lives it, and says `fine`, or the error.
pub fn inside(parent: &Path) -> String {
    said(live(&LabOptions { parent: Some(parent.into()), ..LabOptions::default() }))
}

pub fn said<T: IntoIterator<Item = &'static str>>(result: memoom::Result<T>) -> String {
    match result {
        Ok(missing) => ["fine"].into_iter().chain(missing).collect::<Vec<_>>().join(" "),
        Err(error) => error.to_string(),
    }
}

/// The sources that its account lacks.
pub fn live(options: &LabOptions) -> memoom::Result<Vec<&'static str>> {
    Host::probe()?;
    let lab = Lab::with(options)?;
    let group = lab.group(Some("lively"), &Limits::bytes(24 << 20))?;
    let mut watch = group.watch()?;
    let hog = group.hog(&HogOptions::named("lively"))?;
    let other = group.hog(&HogOptions::named("other"))?;
    other.grow(Some(1 << 20), LONG)?;
    let mut last = GrowStatus::Grew;
    while last == GrowStatus::Grew {
        last = hog.grow(Some(4 << 20), LONG)?.status;
    }
    assert_eq!(last, GrowStatus::Killed);
    assert_eq!(hog.wait(LONG)?.verdict, Verdict::OomKilled);
    let oom = watch.wait_oom(LONG)?.expect("an account");
    assert!(oom.killed(hog.pid()), "{}", oom.to_text());
    let command = group.command(&Command::new(["sleep", "100"]))?;
    command.kill()?;
    // The program may be refused what it needs itself.
    let ended = command.wait(LONG)?.returncode;
    assert!(matches!(ended, -9 | 127), "{ended}");
    group.kill()?;
    other.wait(LONG)?;
    group.remove()?;
    lab.close()?;
    // The kernel prints 10 reports in 5 seconds, of the whole machine: that others have used them up says nothing of what is
    // around here. A log that cannot be read is a source of its own.
    let of_a_report = |source: &&str| !["report", "composition"].contains(source);
    Ok(oom.missing.iter().map(|missing| missing.source).filter(of_a_report).collect())
}
