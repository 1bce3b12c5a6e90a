use super::super::super::live;
use super::*;

#[test]
fn a_list_of_cpus_has_ranges_and_single_ones() {
    assert_eq!(numbers(b"0-3,8,10-11\n"), [0, 1, 2, 3, 8, 10, 11]);
    assert_eq!(numbers(b"0\n"), [0]);
    assert!(numbers(b"\n").is_empty());
}

#[test]
fn the_set_of_one_lab_serves_the_next() {
    let Ok(first) = Perf::open().map_err(|error| live::skip(&error.to_string())) else { return };
    // Other tests of this process may take or leave the one that waits: among many there is one that comes again.
    let address = |set: &Perf| format!("{:?}", set.cpus[0].ring);
    let mut before = address(&first);
    drop(first);
    let again = (0..100).any(|_| {
        let set = Perf::open().expect("opened a moment ago");
        let same = address(&set) == before;
        before = address(&set);
        same
    });
    assert!(again, "each lab opens the tracepoints anew");
}
