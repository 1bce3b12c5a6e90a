//! Time grows as the input does, whatever the input: shapes that would be slow for a careless parser.

use std::time::Duration;

use super::damage::check;
use super::{all_logs, parse_reports};

/// Inputs of about `size` bytes that would be slow for a parser that looks back or copies too often.
fn adversaries(size: usize) -> Vec<(&'static str, Vec<u8>)> {
    let repeat = |unit: &str| unit.as_bytes().iter().copied().cycle().take(size).collect::<Vec<u8>>();
    let numbered =
        |unit: fn(usize) -> String| (0..).flat_map(|at| unit(at).into_bytes()).take(size).collect::<Vec<u8>>();
    let after = |head: &str, unit: &str| [head.as_bytes(), &repeat(unit)].concat();
    vec![
        ("one line", repeat("a")),
        ("blanks", repeat(" ")),
        ("newlines", repeat("\n")),
        ("quotes", repeat("> ")),
        ("brackets", repeat("[")),
        ("backslashes", repeat("\\x0")),
        ("times", repeat("[    1.000000] ")),
        ("dates", repeat("Nov 23 00:00:01 host kernel: ")),
        ("fragments", after("4,1,1,-;oom-kill:constraint=X,nodemask=(null)\n", "4,2,1,c;,oom_memcg=\n")),
        ("fragments of a path", after("oom-kill:constraint=X,nodemask=(null),oom_memcg=\n", ",task_memcg=\n")),
        ("one long summary", after("oom-kill:constraint=X,nodemask=(null),oom_memcg=", ",task=,pid=1,uid=")),
        ("one long kill", after("Killed process 1 (", ") total-vm:")),
        ("kills", numbered(|at| format!("Killed process {at} (a) total-vm:1kB\n"))),
        ("one kill again and again", repeat("Killed process 1 (a) total-vm:1kB\n")),
        ("wrapped lines", repeat("x! memory: usage 1kB, limit 1kB, failcnt 1</p>\n")),
        ("what may be wrapped", numbered(|at| format!("{at}! oom-kill:constraint={at}\n"))),
        ("what may be a page", repeat("[&lt;&amp;&lt")),
        ("objects", repeat("{\"a\":{\"b\":\"invoked oom-killer: \\n\"}}\n")),
        (
            "kills of one group",
            after(
                "Killed process 1 (a) total-vm:1kB\nTasks in /a are going to be killed due to memory.oom.group set\n",
                "Killed process 1 (a) total-vm:1kB, anon-rss:1kB, oom_score_adj:0\n",
            ),
        ),
        ("invokers", repeat("a invoked oom-killer: gfp_mask=0x0(), order=0, oom_score_adj=0\n")),
        ("half invokers", repeat("a invoked oom-killer: nodemask=\n")),
        (
            "reapers",
            after("Killed process 1 (a) total-vm:1kB\n", "oom_reaper: reaped process 1 (a), now anon-rss:0kB\n"),
        ),
        ("counters", after("Memory cgroup stats for /a:\n", "anon 1\nfile 2\n")),
        ("one long record of counters", after("1,1,1,-;Memory cgroup stats for /a:\n1,2,1,-;", "anon 1\\x0a")),
        ("legacy counters", after("Memory cgroup stats for /a: cache:1KB", " rss:1KB")),
        ("rows", after("[  pid  ] uid tgid total_vm rss swapents oom_score_adj name\n", "[ 7] 0 7 1 1 1 0 a\n")),
        ("half rows", after("[  pid  ] uid tgid total_vm rss swapents oom_score_adj name\n", "[ 7] 0\n")),
        ("frames", after("a invoked oom-killer: gfp_mask=0x0(), order=0, oom_score_adj=0\n", " f+0x1/0x2\n")),
        ("strangers", after("a invoked oom-killer: gfp_mask=0x0(), order=0, oom_score_adj=0\n", "x\n")),
        ("indented", after("[    1.000000] Memory cgroup stats for /a:\n", "               a 1\n")),
        ("dictionaries", after("6,1,1,-;x\n", " A=b\n")),
        ("colours", repeat("\x1b[1m")),
        ("semicolons", repeat("1,1,1,-;")),
        ("parentheses", after("oom_reaper: reaped process 1 (", "), now anon-rss:")),
        ("group", after("Tasks in /", " are going to be killed due to memory.oom.group set")),
    ]
}

#[test]
fn adversaries_do_no_harm() {
    for (_, bytes) in adversaries(20_000) {
        check(&bytes);
    }
}

/// The least of some measurements of the time of this thread alone: what else runs on the machine hardly counts.
fn measure(bytes: &[u8], times: usize) -> Duration {
    let now = || Duration::from(nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID.now().unwrap());
    (0..times)
        .map(|_| {
            let start = now();
            std::hint::black_box(parse_reports(bytes));
            now() - start
        })
        .min()
        .unwrap()
}

/// Input that is 16 times as long may take 16 times as long, and as much again for what caches and page faults cost;
/// quadratic work would take 256 times as long.
const LONGER: usize = 16;
const MOST: f64 = 2.0 * LONGER as f64;

/// How many times as long `large` takes. A measurement that others disturbed is only ever too long, so one factor within
/// the bound is proof; work that really grows faster is beyond it every time.
fn factor(small: &[u8], large: &[u8], times: usize) -> (Duration, f64) {
    let mut best = (Duration::MAX, f64::MAX);
    for _ in 0..4 {
        let (short, long) = (measure(small, 2 * times), measure(large, times));
        let factor = long.as_secs_f64() / short.as_secs_f64().max(1e-9);
        best = (best.0.min(long), best.1.min(factor));
        if best.1 <= MOST {
            break;
        }
    }
    best
}

#[test]
fn no_shape_grows_faster_than_its_input() {
    let size = if cfg!(debug_assertions) { 8 << 10 } else { 64 << 10 };
    for ((name, small), (_, large)) in adversaries(size).iter().zip(&adversaries(LONGER * size)) {
        let (_, factor) = factor(small, large, 1);
        assert!(factor <= MOST, "{name}: {LONGER} times the input takes {factor:.1} times as long");
    }
}

/// The measure itself: it finds what is quadratic.
#[test]
fn quadratic_work_is_noticed() {
    let work = |count: usize| {
        let list: Vec<u64> = (0..count as u64).collect();
        list.iter().filter(|one| std::hint::black_box(&list[..]).iter().any(|other| other == *one)).count()
    };
    let timed = |count: usize| {
        let clock = nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID;
        let start = Duration::from(clock.now().unwrap());
        std::hint::black_box(work(count));
        Duration::from(clock.now().unwrap()) - start
    };
    let least = |count: usize| (0..3).map(|_| timed(count)).min().unwrap();
    let (short, long) = (least(500), least(500 * LONGER));
    assert!(long.as_secs_f64() > 2.0 * MOST * short.as_secs_f64(), "{short:?} and {long:?}");
}

/// 100 ms for each MiB, and 150 ns for each line: every line is looked at for what it may be, however short it is.
fn bound(bytes: &[u8]) -> Duration {
    let lines = bytes.iter().filter(|&&byte| byte == b'\n').count() as u32;
    let mib = bytes.len() as f64 / f64::from(1 << 20);
    Duration::from_millis(100).mul_f64(mib) + lines * Duration::from_nanos(150)
}

/// How much slower this machine is than the one of those figures, where 1 MiB of reports takes 10 ms.
fn slowness() -> f64 {
    let (_, report) = all_logs().into_iter().find(|(name, _)| name.ends_with("v2-7.2.kmsg")).expect("a whole report");
    let many = report.repeat((1 << 20) / report.len() + 1);
    (measure(&many, 7).as_secs_f64() / 0.010).max(1.0)
}

/// `cargo test --release -p memoom --test reports -- --ignored --nocapture time`
#[test]
#[ignore = "a measurement: meaningful in release on a quiet machine"]
fn time_is_linear() {
    let (small, large) = (adversaries(1 << 18), adversaries(1 << 20));
    let slowness = slowness();
    println!("this machine takes {slowness:.1} times as long as that of the bounds");
    let bound = |bytes: &[u8]| bound(bytes).mul_f64(slowness);
    let mut worst = Duration::ZERO;
    for ((name, small), (_, large)) in small.iter().zip(&large) {
        let (quarter, whole) = (measure(small, 7), measure(large, 7));
        println!(
            "{name:30} 256 KiB {quarter:>12.1?}  1 MiB {whole:>12.1?}  factor {:.1}",
            whole.as_secs_f64() / quarter.as_secs_f64()
        );
        assert!(whole < bound(large), "{name} takes {whole:?}");
        worst = worst.max(whole);
    }
    for (name, bytes) in all_logs() {
        let many = bytes.repeat((1 << 20) / bytes.len() + 1);
        let taken = measure(&many, 7);
        println!("{name:30} {} KiB of it {taken:>12.1?}", many.len() >> 10);
        assert!(taken < bound(&many), "{name} takes {taken:?}");
    }
    println!("worst {worst:?}");
}
