//! A directory of a test, which stays where the test fails: what was recorded is there for whoever looks for the reason.

use std::path::Path;

use tempfile::TempDir;

pub struct Kept(Option<TempDir>);

impl Kept {
    pub fn new(prefix: &str) -> Kept {
        Kept(Some(tempfile::Builder::new().prefix(prefix).tempdir().unwrap()))
    }

    pub fn path(&self) -> &Path {
        self.0.as_ref().unwrap().path()
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if let Some(place) = self.0.take().filter(|_| std::thread::panicking()) {
            eprintln!("what was seen is in {}", place.keep().display());
        }
    }
}
