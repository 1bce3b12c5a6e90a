//! What a start costs.

use super::*;

/// Prints what a start costs, to be read beside `benches/floor/start.c`, and what a worker charges before its first step.
/// MEMOOM_BENCH_MIB is resident in this process meanwhile.
#[test]
#[ignore = "a measurement"]
fn measure_starts() {
    let Some(group) = Group::any() else { return };
    let resident: usize = std::env::var("MEMOOM_BENCH_MIB").map_or(0, |value| value.parse().unwrap());
    let ballast = vec![1u8; resident << 20];
    let supervisor = supervisor();
    group.guard(&supervisor);
    let entry = group.entry();
    let role = Role::Hog { work: hog::ANON, directory: None };
    let start = Start { name: b"hog", join: group.join(&entry), oom_score_adj: 0, role };
    for (label, count, pause) in [("back to back", 1000, 0), ("after 50 ms", 100, 50)] {
        let mut took: Vec<f64> = (0..count)
            .map(|_| {
                std::thread::sleep(Duration::from_millis(pause));
                let begin = Instant::now();
                let worker = supervisor.spawn(&start).unwrap();
                let took = begin.elapsed().as_secs_f64() * 1e6;
                drop(worker.channel);
                assert!(ended(worker.pidfd.as_fd(), Duration::from_secs(1)));
                supervisor.notices().unwrap();
                took
            })
            .collect();
        took.sort_by(f64::total_cmp);
        println!("{label}: median {:.1} us, p99 {:.1} us ({count})", took[count / 2], took[count * 99 / 100]);
    }
    if group.version == 1 {
        // Ten, so that what the group's first process costs and the per-CPU batches of the counter weigh less.
        let fresh = Group::v1().unwrap();
        fresh.guard(&supervisor);
        let entry = fresh.entry();
        let start = Start { join: fresh.join(&entry), ..start };
        let workers: Vec<Started> = (0..10).map(|_| supervisor.spawn(&start).unwrap()).collect();
        println!("ten hogs, kernel: {} bytes", fresh.read("memory.kmem.usage_in_bytes").trim());
        let stat = fresh.read("memory.stat");
        println!("ten hogs, pages: {}", stat.lines().find(|line| line.starts_with("rss ")).unwrap());
        let status = fs::read_to_string(format!("/proc/{}/status", workers[0].pid)).unwrap();
        for line in status.lines().filter(|line| line.starts_with("Rss") || line.starts_with("VmPTE")) {
            println!("one hog: {line}");
        }
    }
    let mut lives: Vec<f64> = (0..100)
        .map(|_| {
            let begin = Instant::now();
            let lab = self::supervisor();
            lab.end(soon()).unwrap();
            begin.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    lives.sort_by(f64::total_cmp);
    println!("supervisor start and end: median {:.1} us, p99 {:.1} us", lives[50], lives[99]);
    drop(ballast);
}
