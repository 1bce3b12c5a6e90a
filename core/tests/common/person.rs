//! Somebody outside of the groups who does something: a shell.

use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A shell that does as it was told, and stays until it is dropped: so there is time to read who it is.
pub struct Person(Child);

impl Person {
    /// A shell, which may have another name, does that.
    pub fn does(shell: impl AsRef<Path>, line: &str) -> Person {
        let mut shell = Command::new(shell.as_ref()).stdin(Stdio::piped()).spawn().unwrap();
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
