//! What a step costs: how often the sources are read for it.

use std::time::Duration;

use crate::error::ErrorKind;
use crate::lab::hub::drain::READINGS;
use crate::observe::live;
use crate::{HogOptions, Lab, Limits};

#[test]
fn the_sources_are_read_once_before_a_step_and_once_after_it() {
    let Ok(lab) = Lab::new().map_err(|error| live::skip(&error.to_string())) else { return };
    let group = lab.group(None, &Limits::bytes(64 << 20)).expect("a group");
    let hog = group.hog(&HogOptions::default()).expect("a hog");
    // It stands still, so that no answer comes between.
    crate::sys::signal_pid(hog.worker().pid(), libc::SIGSTOP).expect("our own process");
    let readings = || READINGS.with(std::cell::Cell::get);
    let before = readings();
    let error = hog.grow(Some(1 << 20), Duration::ZERO).expect_err("nobody answers");
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert_eq!(readings() - before, 2, "one before the step, one to see whether it was answered");
    lab.close().expect("an end");
}
