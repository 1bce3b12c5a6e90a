use nix::sys::signal::{raise, SigSet, Signal};

use super::super::super::live;
use super::*;

#[test]
fn a_list_of_cpus_has_ranges_and_single_ones() {
    assert_eq!(numbers(b"0-3,8,10-11\n"), [0, 1, 2, 3, 8, 10, 11]);
    assert_eq!(numbers(b"0\n"), [0]);
    assert!(numbers(b"\n").is_empty());
}

#[test]
fn a_large_machine_costs_a_process_no_more_than_its_share() {
    // A lab has 14 descriptors beside those of a set; 64 CPUs need 192, of 1024.
    assert!(leaves_enough(14, 192, 1024) && leaves_enough(14 + 206, 192, 1024));
    assert!(!leaves_enough(14 + 2 * 206, 192, 1024), "the third of these labs would leave too few");
    assert_eq!([1, 2, 16].map(ring_bytes), [RING; 3]);
    assert_eq!([24, 64, 85].map(ring_bytes), [128 << 10, 64 << 10, 64 << 10]);
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

#[test]
fn a_set_that_lacks_a_cpu_serves_nobody() {
    let Ok(set) = Perf::open().map_err(|error| live::skip(&error.to_string())) else { return };
    let cpus = set.cpus.len();
    assert!(set.whole);
    // As where the descriptors run out after the first CPU: dropped, it is not kept for the next lab.
    let mut part = Perf::empty().expect("a set");
    part.online_then = content(&part.online).expect("readable");
    part.add(0, RING).expect("opened a moment ago");
    drop(set);
    drop(parked().and_then(|mut place| place.take()));
    drop(part);
    let next = Perf::open().expect("opened a moment ago");
    assert_eq!(next.cpus.len(), cpus, "the next lab is deaf on some CPUs");
}

#[test]
fn a_full_ring_tells_of_its_loss_at_once_and_serves_nobody() {
    let Ok(mut set) = Perf::empty().map_err(|error| live::skip(&error.to_string())) else { return };
    if let Err(error) = set.open_all(Some(8 << 10)).and_then(|()| set.switch(true)) {
        return live::skip(&error.to_string());
    }
    assert!(set.may_serve_again());
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGUSR2);
    signals.thread_block().expect("blocked");
    // The thread may stand on any CPU.
    for _ in 0..64 * set.cpus.len() {
        raise(Signal::SIGUSR2).expect("raised");
        signals.wait().expect("taken");
    }
    assert!(!set.may_serve_again(), "the next lab would hear of a loss that was none of its own");
    let items = set.read().expect("readable");
    assert!(items.iter().any(|item| matches!(item, TraceItem::Lost { events: None, .. })), "{items:?}");
    assert!(!set.may_serve_again(), "the kernel has yet to say what it lost");
}

#[test]
fn a_path_that_cannot_be_named_hides_no_victim() {
    let victim = TraceItem::Victim(super::super::TraceVictim { pid: 78, ..Default::default() });
    let samples = vec![Sample { time_ns: 1, item: victim.clone(), path: vec![1] }];
    let refused = Error::os("read the kernel's symbols", io::Error::from_raw_os_error(libc::EMFILE));
    let items = named(samples, Err(refused));
    let [TraceItem::Nameless(reason), told] = items.as_slice() else { panic!("{items:?}") };
    assert!(reason.contains("EMFILE"), "{reason}");
    assert_eq!(*told, victim);
}
