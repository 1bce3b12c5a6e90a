//! try
#![allow(clippy::all, missing_docs)]
use memoom::*;
use std::time::Duration;
fn main() -> Result<()> {
    let t = std::time::Instant::now();
    let lab = Lab::new()?;
    eprintln!("lab {:?} {:?}", lab, t.elapsed());
    let limits = Limits::bytes(80 << 20);
    let group = lab.group(Some("exp"), &limits)?;
    let mut watch = group.watch()?;
    let a = group.hog(&HogOptions::named("alloc_memory_1"))?;
    let b = group.hog(&HogOptions::named("alloc_memory_2"))?;
    let c = group.ticker("print_counter", Duration::from_millis(100))?;
    eprintln!("{a:?} {b:?} {c:?} {:?}", t.elapsed());
    let mode = std::env::args().nth(1).unwrap_or_default();
    if mode == "block" {
        group.set_oom_killer(false)?;
    }
    let mut blocked = None;
    'o: for _ in 0..6 {
        for h in [&a, &b] {
            let g = h.grow(None, Duration::from_secs(10))?;
            eprintln!("{} {:?} {} usage {}", h.name(), g.status, g.total_bytes, group.usage_bytes()?);
            if g.status == GrowStatus::Blocked {
                blocked = Some(h.clone());
            }
            if group.counters()?.oom_kill != Some(0) || g.status != GrowStatus::Grew {
                break 'o;
            }
        }
    }
    if mode == "block" {
        let oom = watch.wait_oom(Duration::from_secs(3))?.unwrap();
        print!("{}", oom.to_text());
        group.set_oom_killer(true)?;
        let g = blocked.as_ref().unwrap().finish(Duration::from_secs(5))?;
        eprintln!("finish {g:?}");
    }
    let oom = watch.wait_oom(Duration::from_secs(3))?;
    let oom = oom.expect("oom");
    print!("{}", oom.to_text());
    eprintln!("{:?}", t.elapsed());
    for h in [&a, &b] {
        if oom.killed(h.pid()) {
            println!("{}", h.wait(Duration::from_secs(3))?.to_json().len());
            println!("{:?}", h.wait(Duration::from_secs(3))?.verdict);
        }
    }
    let x = std::time::Instant::now();
    lab.close()?;
    eprintln!("closed {:?}", x.elapsed());
    if mode == "json" {
        println!("{}", oom.to_json());
        println!("{}", lab.timeline().to_json());
    }
    Ok(())
}
