//! A lab that is recorded: where a scenario fails, what was seen stays for whoever looks for the reason.

use std::path::PathBuf;

use memoom::{Lab, LabOptions, Limits};
use tempfile::TempDir;

/// A lab and the place of its recording, which goes with it unless it is kept.
pub struct Recorded {
    pub lab: Lab,
    place: TempDir,
}

impl Recorded {
    /// A new one; `None` where this machine cannot have a lab, with the reason printed.
    pub fn lab() -> Option<Recorded> {
        // Says why there is none.
        crate::common::lab()?;
        let place = tempfile::Builder::new().prefix("memoom-scenarios-").tempdir().unwrap();
        let lab = Lab::with(&LabOptions { record: Some(file_in(&place)), ..LabOptions::default() }).unwrap();
        Some(Recorded { lab, place })
    }

    /// Ends the lab, and gives the file.
    pub fn keep(self) -> PathBuf {
        let _ = self.lab.close();
        let file = file_in(&self.place);
        let _ = self.place.keep();
        file
    }
}

fn file_in(place: &TempDir) -> PathBuf {
    place.path().join("recording.jsonl")
}

pub fn a_scenario_that_fails_leaves_its_recording() {
    let Some(on) = Recorded::lab() else { return };
    let group = on.lab.group(None, &Limits::bytes(16 << 20)).unwrap();
    let mut watch = group.watch().unwrap();
    let oom = group.oom_now(None, None, crate::common::LONG).unwrap().oom;
    assert_eq!(watch.wait_oom(crate::common::LONG).unwrap().expect("the account").victims, oom.victims);
    let file = on.keep();
    let again = memoom::replay(&file).unwrap();
    std::fs::remove_dir_all(file.parent().unwrap()).unwrap();
    assert_eq!(again.len(), 1);
    assert_eq!(again[0].to_json(), oom.to_json());
    // One that holds leaves nothing.
    let Some(on) = Recorded::lab() else { return };
    let file = file_in(&on.place);
    assert!(file.exists());
    drop(on);
    assert!(!file.exists());
}
