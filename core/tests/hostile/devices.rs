//! Devices that are not there, or are others than their names say.

use std::path::Path;

use memoom::{GrowStatus, HogOptions, Host, Lab, LabOptions, Limits};

use super::common::{lab, LONG};
use super::visitor;

pub fn a_log_that_is_none() {
    let Some(lab) = lab() else { return };
    let base = lab.group(Some("base"), &Limits::default()).unwrap();
    let over = |what: &str| format!("{what} && exec \"$@\"");
    for mount in [
        "mount --bind /dev/null /dev/kmsg",
        "mount --bind /dev/zero /dev/kmsg",
        "mount --bind /etc/passwd /dev/kmsg",
        "mount -t tmpfs tmpfs /dev && mknod -m 666 /dev/null c 1 3",
    ] {
        visitor::run("no-log", &["--mount"], &over(mount), base.path());
    }
}

/// A lab works, and each account says what it lacks.
pub fn without_a_log(parent: &Path) -> String {
    let host = Host::probe().unwrap();
    let log = host.abilities.iter().find(|ability| ability.name == "kernel-log").unwrap();
    assert!(!log.available && !log.remedy.is_empty(), "{log:?}");
    let lab = Lab::with(&LabOptions { parent: Some(parent.into()), ..LabOptions::default() }).unwrap();
    let group = lab.group(Some("silent"), &Limits::bytes(24 << 20)).unwrap();
    let mut watch = group.watch().unwrap();
    let hog = group.hog(&HogOptions::named("silent")).unwrap();
    while hog.grow(Some(4 << 20), LONG).unwrap().status == GrowStatus::Grew {}
    let oom = watch.wait_oom(LONG).unwrap().expect("an account");
    assert!(oom.killed(hog.pid()), "{}", oom.to_text());
    assert!(oom.missing.iter().any(|missing| missing.source == "kernel-log"), "{:?}", oom.missing);
    lab.close().unwrap();
    "done".to_string()
}
