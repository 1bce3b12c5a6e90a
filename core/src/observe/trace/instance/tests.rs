use super::super::super::live;
use super::super::super::tracefs::REMOVAL;
use super::*;
use std::time::Instant;

fn tracefs() -> Option<Tracefs> {
    Tracefs::find().map_err(|error| live::skip(&error.to_string())).ok()
}

fn name(test: &str) -> String {
    format!("memoom-dev-obs-{test}-{}", std::process::id())
}

#[test]
fn a_name_is_one_component() {
    for bad in ["", ".", "..", "a/b", "a\nb", "a\0b", &"a".repeat(256)] {
        assert_eq!(check_name(bad).expect_err("bad").kind(), ErrorKind::InvalidInput, "{bad:?}");
    }
    check_name("memoom-1").expect("good");
}

#[test]
fn the_mount_table_stays_and_the_instance_goes() {
    let Some(tracefs) = tracefs() else { return };
    let before = std::fs::read("/proc/self/mountinfo").expect("mountinfo");
    let detached = Tracefs::detached().expect("a detached mount is possible where tracefs is");
    assert!(detached.is_detached());
    let name = name("gone");
    let instance = TraceInstance::create(&detached, &name).expect("created");
    // Both views show the same instances.
    assert!(tracefs.list_instances().expect("listed").contains(&name));
    let error = TraceInstance::create(&detached, &name).expect_err("taken");
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert!(tracefs.list_instances().expect("listed").contains(&name), "the failed one removed the other's");
    drop(instance);
    assert!(!tracefs.list_instances().expect("listed").contains(&name));
    tracefs.remove_instance(&name).expect("gone already is no error");
    assert_eq!(before, std::fs::read("/proc/self/mountinfo").expect("mountinfo"));
}

#[test]
fn two_may_remove_one_instance_at_a_time() {
    let Some(tracefs) = tracefs() else { return };
    for _ in 0..5 {
        let name = name("both");
        mkdirat(tracefs.instances_dir(), name.as_str(), Mode::S_IRWXU).expect("made");
        std::thread::scope(|scope| {
            let removals = [(); 2].map(|()| scope.spawn(|| tracefs.remove_instance(&name)));
            for removal in removals {
                removal.join().expect("no panic").expect("whoever comes second finds it gone");
            }
        });
        assert!(!tracefs.list_instances().expect("listed").contains(&name));
    }
}

#[test]
fn a_held_instance_is_busy_within_a_bound() {
    let Some(tracefs) = tracefs() else { return };
    let name = name("held");
    let instance = TraceInstance::create(&tracefs, &name).expect("created");
    let held = instance.as_fd().expect("open").try_clone_to_owned().expect("dup");
    let started = Instant::now();
    assert_eq!(instance.remove().expect_err("held").kind(), ErrorKind::Busy);
    assert!(started.elapsed() < REMOVAL * 2);
    drop(held);
    tracefs.remove_instance(&name).expect("free now");
    assert!(!tracefs.list_instances().expect("listed").contains(&name));
}
