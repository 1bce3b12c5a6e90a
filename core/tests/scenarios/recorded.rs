//! A lab that is recorded: where a scenario fails, what was seen stays for whoever looks for the reason.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use memoom::{Lab, LabOptions, Limits};

/// A lab and the file of its recording, which goes with it unless it is kept.
pub struct Recorded {
    pub lab: Lab,
    file: PathBuf,
    kept: bool,
}

impl Recorded {
    /// A new one; `None` where this machine cannot have a lab, with the reason printed.
    pub fn lab() -> Option<Recorded> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let file = std::env::temp_dir().join(format!("memoom-scenarios-{}-{number}.jsonl", std::process::id()));
        // Says why there is none.
        crate::common::lab()?;
        let lab = Lab::with(&LabOptions { record: Some(file.clone()), ..LabOptions::default() }).unwrap();
        Some(Recorded { lab, file, kept: false })
    }

    /// Ends the lab, and gives the file.
    pub fn keep(mut self) -> PathBuf {
        self.kept = true;
        let _ = self.lab.close();
        self.file.clone()
    }
}

impl Drop for Recorded {
    fn drop(&mut self) {
        if !self.kept {
            let _ = std::fs::remove_file(&self.file);
        }
    }
}

pub fn a_scenario_that_fails_leaves_its_recording() {
    let Some(on) = Recorded::lab() else { return };
    let group = on.lab.group(None, &Limits::bytes(16 << 20)).unwrap();
    let mut watch = group.watch().unwrap();
    let oom = group.oom_now(None, None, crate::common::LONG).unwrap().oom;
    assert_eq!(watch.wait_oom(crate::common::LONG).unwrap().expect("the account").victims, oom.victims);
    let file = on.keep();
    let again = memoom::replay(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    assert_eq!(again.len(), 1);
    assert_eq!(again[0].to_json(), oom.to_json());
    // One that holds leaves nothing.
    let Some(on) = Recorded::lab() else { return };
    let file = on.file.clone();
    assert!(file.exists());
    drop(on);
    assert!(!file.exists());
}
