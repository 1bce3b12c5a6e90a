//! Pods as the kubelet lays them out: the cases of the Kubernetes node suite, each against the kernel itself.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)] // a failure is the report

mod common;

use std::time::Duration;

use common::{lab, lab_with, EATS, LONG};
use memoom::{
    Cause, Command, Container, ContainerKind, ContainerOptions, ErrorKind, GrowStatus, HogOptions, Lab, Limit, Pod,
    PodOptions, Qos, TickerOptions, Verdict, Version,
};

const MIB: u64 = 1 << 20;

fn pod(lab: &Lab) -> Pod {
    lab.pod(Some("pod"), &PodOptions::default()).unwrap()
}

fn made(pod: &Pod, kind: ContainerKind, name: &str, mib: u64) -> Container {
    pod.container(name, &ContainerOptions::bytes(kind, mib * MIB)).unwrap()
}

fn sh(script: &str) -> Command {
    Command::new(["/bin/sh", "-c", script])
}

/// A container in which nothing happens.
fn idle(container: &Container) -> memoom::Worker {
    container.ticker(&TickerOptions::default()).unwrap()
}

#[test]
fn a_single_process_is_killed_by_its_containers_limit() {
    let Some(lab) = lab() else { return };
    let pod = pod(&lab);
    let (app, other) = (made(&pod, ContainerKind::App, "app", 16), made(&pod, ContainerKind::App, "other", 16));
    let beside = idle(&other);
    let outcome = app.command(&sh(EATS)).unwrap().wait(LONG).unwrap();
    assert_eq!((outcome.verdict, outcome.returncode), (Verdict::OomKilled, -libc::SIGKILL));
    assert_eq!(outcome.ooms[0].limit_group.as_deref(), Some(app.group().cgroup()));
    assert!(!beside.ended() && !pod.pause().ended());
}

#[test]
fn an_init_container_is_killed_and_holds_the_others_back_until_it_ends_with_0() {
    let Some(lab) = lab() else { return };
    let pod = pod(&lab);
    let (init, app) = (made(&pod, ContainerKind::Init, "init", 16), made(&pod, ContainerKind::App, "app", 32));
    let early = app.command(&sh("exit 0")).unwrap_err();
    assert_eq!(early.kind(), ErrorKind::Busy);
    assert!(early.to_string().contains("the init container init has not been started"), "{early}");
    // It eats at its first start alone, as a node's slow first start may.
    let file = std::env::temp_dir().join(format!("memoom-pods-{}", std::process::id()));
    let script = format!("test -e {0} || {{ : > {0}; {EATS}; }}; rm {0}", file.display());
    init.command(&sh(&script)).unwrap();
    let (outcome, again) = init.restart(LONG).unwrap();
    assert!(outcome.oom_killed, "{}", outcome.to_text());
    assert_eq!(again.wait(LONG).unwrap().returncode, 0);
    assert_eq!(init.restarts(), 1);
    assert_eq!(app.command(&sh("exit 0")).unwrap().wait(LONG).unwrap().returncode, 0);
}

#[test]
fn what_failed_and_what_still_runs_holds_back_too() {
    let Some(lab) = lab() else { return };
    let pod = pod(&lab);
    let (init, app) = (made(&pod, ContainerKind::Init, "init", 16), made(&pod, ContainerKind::App, "app", 32));
    let runs = init.command(&sh("exec sleep 1000")).unwrap();
    let error = app.ticker(&TickerOptions::default()).unwrap_err();
    assert!(error.to_string().contains("init has not ended"), "{error}");
    runs.kill().unwrap();
    runs.wait(LONG).unwrap();
    let error = app.hog(&HogOptions::default()).unwrap_err();
    assert!(error.to_string().contains("init has failed"), "{error}");
}

#[test]
fn a_sidecar_is_killed_and_started_again_while_the_app_goes_on() {
    let Some(lab) = lab() else { return };
    let pod = pod(&lab);
    let (sidecar, app) = (made(&pod, ContainerKind::Sidecar, "logs", 16), made(&pod, ContainerKind::App, "app", 32));
    assert_eq!(app.command(&sh("exit 0")).unwrap_err().kind(), ErrorKind::Busy, "the sidecar comes first");
    sidecar.command(&sh(EATS)).unwrap();
    let beside = idle(&app);
    for restarts in 1..=3 {
        let (outcome, again) = sidecar.restart(LONG).unwrap();
        assert!(outcome.oom_killed && again.pid() != outcome.pid);
        assert_eq!(sidecar.restarts(), restarts);
    }
    assert!(!beside.ended());
}

/// A shell that goes on when a child of its has been killed.
const PARENT: &str = "sh -c 'x=aaaaaaaaaaaaaaaa; while :; do x=$x$x; done'; test $? -eq 137";

#[test]
fn a_kill_takes_the_whole_container_and_nothing_beside_it() {
    let Some(lab) = lab_with(Version::V2) else { return };
    let pod = pod(&lab);
    let (app, other) = (made(&pod, ContainerKind::App, "app", 16), made(&pod, ContainerKind::App, "other", 16));
    assert!(app.group().oom_group().unwrap());
    assert!(!pod.group().oom_group().unwrap(), "the pod itself has none");
    let beside = idle(&other);
    let outcome = app.command(&sh(PARENT)).unwrap().wait(LONG).unwrap();
    assert!(outcome.oom_killed, "{}", outcome.to_text());
    let causes: Vec<_> = outcome.ooms[0].victims.iter().map(|victim| victim.cause).collect();
    assert!(causes.contains(&Cause::Group), "{}", outcome.to_text());
    assert!(!beside.ended());
}

#[test]
fn a_kill_takes_one_process_where_the_kubelet_is_told_so() {
    let Some(lab) = lab() else { return };
    let options = PodOptions { single_process_oom_kill: true, ..PodOptions::default() };
    let pod = lab.pod(None, &options).unwrap();
    let app = made(&pod, ContainerKind::App, "app", 16);
    let outcome = app.command(&sh(PARENT)).unwrap().wait(LONG).unwrap();
    assert_eq!((outcome.verdict, outcome.returncode, outcome.ooms_inside), (Verdict::Exited, 0, 1));
}

#[test]
fn one_container_of_a_pod_may_have_it_otherwise() {
    let Some(lab) = lab() else { return };
    let pod = pod(&lab);
    let options = ContainerOptions { oom_group: Some(false), ..ContainerOptions::bytes(ContainerKind::App, 16 * MIB) };
    match lab.version() {
        Version::V1 => {
            let error = pod.container("app", &options).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        }
        Version::V2 => assert!(!pod.container("app", &options).unwrap().group().oom_group().unwrap()),
    }
}

#[test]
fn the_pods_limit_takes_the_container_that_the_scores_say() {
    let Some(lab) = lab() else { return };
    // Both may have 48 MiB, but not together.
    let node_bytes = Some(256 * MIB);
    let options = PodOptions { limit: Some(Limit::Bytes(64 * MIB)), node_bytes, ..PodOptions::default() };
    let pod = lab.pod(Some("pod"), &options).unwrap();
    let burstable = |name, request| {
        let options = ContainerOptions { request, ..ContainerOptions::bytes(ContainerKind::App, 48 * MIB) };
        pod.container(name, &options).unwrap()
    };
    let (cheap, dear) = (burstable("cheap", Some(MIB)), burstable("dear", Some(40 * MIB)));
    assert_eq!((cheap.oom_score_adj(), dear.oom_score_adj()), (997, 844));
    let mut watch = pod.group().watch_recursive().unwrap();
    let cheap = cheap.hog(&HogOptions::named("cheap")).unwrap();
    let dear = dear.hog(&HogOptions::named("dear")).unwrap();
    assert_eq!(cheap.grow(Some(30 * MIB), LONG).unwrap().status, GrowStatus::Grew);
    assert_eq!(dear.grow(Some(44 * MIB), LONG).unwrap().status, GrowStatus::Grew);
    let oom = watch.wait_oom(LONG).unwrap().unwrap();
    assert_eq!(oom.limit_group.as_deref(), Some(pod.group().cgroup()));
    assert_eq!(oom.victims[0].pid, cheap.pid(), "{}", oom.to_text());
    assert!(!dear.ended() && !pod.pause().ended());
}

#[test]
fn a_resize_keeps_the_containers_limit_below_the_pods() {
    let Some(lab) = lab() else { return };
    let pod = pod(&lab);
    let (app, other) = (made(&pod, ContainerKind::App, "app", 32), made(&pod, ContainerKind::App, "other", 16));
    assert_eq!(pod.group().limit().unwrap(), Limit::Bytes(48 * MIB));
    let hog = app.hog(&HogOptions::default()).unwrap();
    hog.grow(Some(24 * MIB), LONG).unwrap();
    app.resize(Limit::Bytes(64 * MIB), None, false).unwrap();
    assert_eq!(
        (app.group().limit().unwrap(), pod.group().limit().unwrap()),
        (Limit::Bytes(64 * MIB), Limit::Bytes(80 * MIB))
    );
    assert_eq!(hog.grow(Some(24 * MIB), LONG).unwrap().status, GrowStatus::Grew, "it has the room at once");
    let refused = app.resize(Limit::Bytes(40 * MIB), None, false).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Busy, "{refused}");
    assert_eq!(
        (app.group().limit().unwrap(), pod.group().limit().unwrap()),
        (Limit::Bytes(64 * MIB), Limit::Bytes(80 * MIB))
    );
    assert_eq!(hog.shrink(24 * MIB, LONG).unwrap(), 24 * MIB);
    app.resize(Limit::Bytes(40 * MIB), None, false).unwrap();
    assert_eq!(
        (app.group().limit().unwrap(), pod.group().limit().unwrap()),
        (Limit::Bytes(40 * MIB), Limit::Bytes(56 * MIB))
    );
    assert_eq!(pod.qos(), Qos::Guaranteed);
    let other_class = other.resize(Limit::Bytes(16 * MIB), Some(8 * MIB), false).unwrap_err();
    assert!(other_class.to_string().contains("another class"), "{other_class}");
    assert_eq!(hog.grow(Some(24 * MIB), LONG).unwrap().status, GrowStatus::Killed);
}

#[test]
fn a_resize_below_the_usage_kills_on_v2_and_is_refused_on_v1() {
    let Some(lab) = lab() else { return };
    let pod = pod(&lab);
    let (app, other) = (made(&pod, ContainerKind::App, "app", 64), made(&pod, ContainerKind::App, "other", 16));
    let beside = idle(&other);
    let mut watch = pod.group().watch_recursive().unwrap();
    let hog = app.hog(&HogOptions::default()).unwrap();
    hog.grow(Some(48 * MIB), LONG).unwrap();
    let resized = app.resize(Limit::Bytes(32 * MIB), None, true);
    match lab.version() {
        Version::V1 => {
            assert_eq!(resized.unwrap_err().kind(), ErrorKind::Busy);
            assert_eq!(
                (app.group().limit().unwrap(), pod.group().limit().unwrap()),
                (Limit::Bytes(64 * MIB), Limit::Bytes(80 * MIB))
            );
            assert!(watch.wait_oom(Duration::ZERO).unwrap().is_none());
            assert!(!hog.ended());
        }
        Version::V2 => {
            resized.unwrap();
            let oom = watch.wait_oom(LONG).unwrap().unwrap();
            assert_eq!((oom.limit_group.as_deref(), oom.limit_bytes), (Some(app.group().cgroup()), Some(32 * MIB)));
            assert!(hog.wait(LONG).unwrap().oom_killed);
        }
    }
    assert!(!beside.ended());
}

#[test]
fn a_container_without_a_limit_leaves_the_pod_without_one() {
    let Some(lab) = lab() else { return };
    let pod = pod(&lab);
    assert_eq!((pod.group().limit().unwrap(), pod.qos()), (Limit::Max, Qos::BestEffort));
    made(&pod, ContainerKind::App, "app", 16);
    assert_eq!((pod.group().limit().unwrap(), pod.qos()), (Limit::Bytes(16 * MIB), Qos::Guaranteed));
    let free = pod.container("free", &ContainerOptions::default()).unwrap();
    assert_eq!((pod.group().limit().unwrap(), pod.qos()), (Limit::Max, Qos::Burstable));
    assert_eq!((free.request_bytes(), free.oom_score_adj()), (None, 999));
}

#[test]
fn what_is_refused_leaves_nothing() {
    let Some(lab) = lab() else { return };
    let pod = pod(&lab);
    let above = ContainerOptions { request: Some(2), ..ContainerOptions::bytes(ContainerKind::App, 1) };
    assert_eq!(pod.container("app", &above).unwrap_err().kind(), ErrorKind::InvalidInput);
    assert_eq!(pod.container("pause", &ContainerOptions::default()).unwrap_err().kind(), ErrorKind::AlreadyExists);
    let app = made(&pod, ContainerKind::App, "app", 16);
    idle(&app);
    let late = pod.container("late", &ContainerOptions::default()).unwrap_err();
    assert!(late.kind() == ErrorKind::Busy && late.to_string().contains("before the first"), "{late}");
    assert_eq!(app.restart(LONG).unwrap_err().kind(), ErrorKind::InvalidInput, "a ticker is no command");
    let nothing = PodOptions { node_bytes: Some(0), ..PodOptions::default() };
    assert_eq!(lab.pod(Some("nowhere"), &nothing).unwrap_err().kind(), ErrorKind::InvalidInput);
    let there: Vec<_> = lab.groups().iter().map(|group| group.name()).collect();
    assert_eq!(there, ["pod", "pause", "app"]);
    pod.remove().unwrap();
    assert!(lab.groups().is_empty());
}
