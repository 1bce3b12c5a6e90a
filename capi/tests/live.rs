//! The same scenarios through the Rust types and through the functions of `<memoom.h>`, on this machine's kernel.
#![allow(clippy::unwrap_used, clippy::print_stderr)] // a failure is the report

mod scenarios;

use scenarios::{bad_input, everyday, experiments, kinds};

macro_rules! through {
    ($face:ident, $type:ty) => {
        mod $face {
            use super::*;
            type Face = $type;

            #[test]
            fn v1_kill() {
                experiments::run::<Face>("v1-kill");
            }
            #[test]
            fn v1_block() {
                experiments::run::<Face>("v1-block");
            }
            #[test]
            fn v1_resume() {
                experiments::run::<Face>("v1-resume");
            }
            #[test]
            fn v2_kill() {
                experiments::run::<Face>("v2-kill");
            }
            #[test]
            fn v2_group() {
                experiments::run::<Face>("v2-group");
            }
            #[test]
            fn commands_and_their_outcomes() {
                everyday::commands::<Face>();
            }
            #[test]
            fn events_and_timeline() {
                everyday::events::<Face>();
            }
            #[test]
            fn limits_counters_and_prediction() {
                everyday::numbers::<Face>();
            }
            #[test]
            fn every_kind_of_memory() {
                kinds::all::<Face>();
            }
            #[test]
            fn paces_of_a_hog() {
                kinds::paces::<Face>();
            }
            #[test]
            fn scores_of_workers() {
                kinds::scores::<Face>();
            }
            #[test]
            fn kinds_that_cannot_be() {
                kinds::that_cannot_be::<Face>();
            }
            #[test]
            fn names_that_cannot_be() {
                bad_input::names::<Face>();
            }
            #[test]
            fn limits_that_cannot_be() {
                bad_input::limits::<Face>();
            }
            #[test]
            fn switches_of_the_other_version() {
                bad_input::switches::<Face>();
            }
            #[test]
            fn what_is_closed_or_gone() {
                bad_input::gone::<Face>();
            }
            #[test]
            fn workers_that_cannot_be() {
                bad_input::workers::<Face>();
            }
            #[test]
            fn sizes_and_paths() {
                bad_input::sizes_and_paths::<Face>();
            }
        }
    };
}

through!(rust, scenarios::rust_face::Rust);
through!(c, scenarios::c_face::C);

#[test]
fn every_experiment_of_the_file_is_run() {
    assert_eq!(experiments::names(), ["v1-kill", "v1-block", "v1-resume", "v2-kill", "v2-group"]);
}
