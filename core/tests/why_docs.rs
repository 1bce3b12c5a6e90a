//! The examples of docs/why.md are what memoom says: each code that can be had in a moment is provoked, and its text held against
//! the page, numbers and paths aside.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr, unsafe_code)] // a failure is the report

mod common;

use std::os::fd::{FromRawFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;

use common::findings::{found, grow_to_the_end, next_oom};
use common::{lab, page_bytes, LONG};
use memoom::{Command, GrowStatus, HogOptions, Kind, Lab, Limits, Oom, Stdio, Version};

const MIB: u64 = 1 << 20;

/// The examples below a code.
fn examples(code: &str) -> Vec<String> {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/why.md")).unwrap();
    let at = page.find(&format!("**`{code}`")).unwrap_or_else(|| panic!("{code} is not in docs/why.md"));
    let own = page[at..].split("\n**`").next().unwrap().split("\n## ").next().unwrap().to_string();
    let quoted: Vec<&str> = own.lines().map(|line| line.strip_prefix("> ").unwrap_or("")).collect();
    quoted.split(|line| line.is_empty()).map(|lines| lines.join(" ")).filter(|text| !text.is_empty()).collect()
}

/// A text without what differs from run to run: numbers with their units, and paths.
fn shape(text: &str) -> String {
    let units = ["ms", "us", "s"];
    let words = text.split_whitespace().filter(|word| !units.contains(word)).map(|word| match word {
        word if word.starts_with('/') => "/",
        word if word.contains(|letter: char| letter.is_ascii_digit()) => "#",
        word => word,
    });
    words.collect::<Vec<_>>().join(" ")
}

fn is_on_the_page(oom: &Oom, code: &str) {
    let said = shape(&found(oom, code).text);
    let page: Vec<String> = examples(code).iter().map(|text| shape(text)).collect();
    assert!(page.contains(&said), "{code} says\n{said}\nand docs/why.md has\n{page:#?}");
}

/// The account of the OOM of that command under that limit.
fn oom_of(lab: &Lab, limit: u64, command: &Command) -> Arc<Oom> {
    let group = lab.group(None, &Limits::bytes(limit)).unwrap();
    let mut watch = group.watch().unwrap();
    let _ = group.command(command).unwrap().wait(LONG).unwrap();
    next_oom(&mut watch)
}

#[test]
fn what_filled_the_limit_is_said_as_on_the_page() {
    let Some(lab) = lab() else { return };
    is_on_the_page(&oom_of(&lab, 24 * MIB, &Command::new(["tail", "/dev/zero"])), "one-process-grew");
    // SAFETY: the name is a constant with its NUL; the descriptor is new and nobody else's.
    let file = unsafe { OwnedFd::from_raw_fd(libc::memfd_create(c"why".as_ptr(), libc::MFD_CLOEXEC)) };
    let mut writer = Command::new(["head", "-c", "64M", "/dev/zero"]);
    writer.stdio = [Stdio::Null, Stdio::Fd(Arc::new(file)), Stdio::Inherit];
    let oom = oom_of(&lab, 16 * MIB, &writer);
    is_on_the_page(&oom, "shared-memory");
    is_on_the_page(&oom, "freed-too-little");
    if lab.version() == Version::V1 {
        let group = lab.group(None, &Limits::bytes(32 * MIB)).unwrap();
        let mut watch = group.watch().unwrap();
        grow_to_the_end(&group.hog(&HogOptions { kind: Kind::Pipe, ..HogOptions::named("pipes") }).unwrap());
        is_on_the_page(&next_oom(&mut watch), "kernel-memory");
    }
    lab.close().unwrap();
}

#[test]
fn what_else_is_to_be_said_is_said_as_on_the_page() {
    let Some(lab) = lab() else { return };
    if page_bytes() == 4096 {
        is_on_the_page(&oom_of(&lab, 128 << 10, &Command::new(["cat", "/dev/null"])), "limit-below-start");
    }
    let group = lab.group(None, &Limits::bytes(16 * MIB)).unwrap();
    let mut watch = group.watch().unwrap();
    let eater = Command::new(["tail", "/dev/zero"]);
    for _ in 0..2 {
        let _ = group.command(&eater).unwrap().wait(LONG).unwrap();
    }
    let _first = next_oom(&mut watch);
    is_on_the_page(&next_oom(&mut watch), "repeated");
    let group = lab.group(None, &Limits::bytes(16 * MIB)).unwrap();
    let mut watch = group.watch().unwrap();
    group.block().unwrap();
    let waiter = group.hog(&HogOptions { step_bytes: 4 * MIB, ..HogOptions::named("waiter") }).unwrap();
    while waiter.grow(None, LONG).unwrap().status == GrowStatus::Grew {}
    let code = if lab.version() == Version::V1 { "killer-off" } else { "paused" };
    is_on_the_page(&next_oom(&mut watch), code);
    group.kill().unwrap();
    lab.close().unwrap();
}
