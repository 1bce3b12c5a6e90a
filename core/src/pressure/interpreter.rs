//! What runs a script: a command that is one is known under another name until it is executed.

use std::ffi::{CString, OsStr};
use std::os::unix::ffi::OsStrExt;

/// The name of what runs a script, by its first line (`#!`): that of the program behind env(1), where that is asked to find
/// one. `None` for a program in machine code, and where it cannot be read.
pub(super) fn interpreter_of(paths: &[CString]) -> Option<Vec<u8>> {
    let mut line = [0; 256];
    let read = paths.iter().find_map(|path| {
        let file = std::fs::File::open(OsStr::from_bytes(path.as_bytes())).ok()?;
        // Whatever else has that name (a directory, a pipe) is not read.
        file.metadata().ok().filter(std::fs::Metadata::is_file)?;
        std::os::unix::fs::FileExt::read_at(&file, &mut line, 0).ok()
    })?;
    let line = line[..read].strip_prefix(b"#!")?;
    let line = line.split(|&byte| byte == b'\n').next()?;
    let mut words = line.split(|byte| byte.is_ascii_whitespace()).filter(|word| !word.is_empty());
    let base = |word: &[u8]| word.rsplit(|&byte| byte == b'/').next().unwrap_or_default().to_vec();
    let program = base(words.next()?);
    match program == b"env" {
        true => words.find(|word| !word.starts_with(b"-") && !word.contains(&b'=')).map(base),
        false => Some(program),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use super::*;

    #[test]
    fn a_script_is_run_by_what_its_first_line_names() {
        let directory = tempfile::tempdir().unwrap();
        let of = |text: &str| {
            let path = directory.path().join("script");
            std::fs::write(&path, text).unwrap();
            interpreter_of(&[CString::new(path.into_os_string().into_vec()).unwrap()])
                .map(|name| String::from_utf8(name).unwrap())
        };
        assert_eq!(of("#!/bin/sh -e\nexit\n").as_deref(), Some("sh"));
        assert_eq!(of("#! /usr/bin/env -S A=1 python3.12 -u\n").as_deref(), Some("python3.12"));
        assert_eq!(of("#!/usr/bin/env\n"), None);
        assert_eq!(of("\x7fELF"), None);
        assert_eq!(of(""), None);
        assert_eq!(interpreter_of(&[CString::new("/").unwrap(), CString::new("/nowhere").unwrap()]), None);
    }
}
