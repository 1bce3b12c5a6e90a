//! Somebody outside of the groups who does something: a shell.

use std::fs;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;

/// A shell that does as it was told, and stays until it is dropped: so there is time to read who it is.
pub struct Person(Child);

impl Person {
    /// A shell, which may have another name, does that.
    pub fn does(shell: impl AsRef<Path>, line: &str) -> Person {
        let name = shell.as_ref().file_name().unwrap().as_bytes();
        let mut shell = Command::new(shell.as_ref()).stdin(Stdio::piped()).spawn().unwrap();
        // Whoever is executed is called otherwise for a moment yet: the caller goes on before the kernel has set the name.
        let comm = format!("/proc/{}/comm", shell.id());
        while !name.starts_with(fs::read(&comm).unwrap().trim_ascii_end()) {
            thread::yield_now();
        }
        writeln!(shell.stdin.as_mut().unwrap(), "{line}").unwrap();
        Person(shell)
    }

    pub fn pid(&self) -> i32 {
        i32::try_from(self.0.id()).unwrap()
    }
}

impl Drop for Person {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}
