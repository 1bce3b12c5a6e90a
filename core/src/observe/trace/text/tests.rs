use super::*;

const NEW: &[u8] = include_bytes!("../../../../../tests/logs/mark_victim-6.18.format");
const OLD: &[u8] = b"name: mark_victim\nID: 500\nformat:\n\tfield:int pid;\toffset:8;\tsize:4;\tsigned:1;\n\n\
    print fmt: \"pid=%d\", REC->pid\n";

const GENERATE: &[u8] = include_bytes!("../../../../../tests/logs/signal_generate-6.18.format");
const DELIVER: &[u8] = include_bytes!("../../../../../tests/logs/signal_deliver-6.18.format");

fn new() -> Templates {
    templates(NEW)
}

fn templates(victim: &[u8]) -> Templates {
    Templates {
        victim: Template::from_format(victim, &["pid"]).expect("a format"),
        signal: Template::from_format(GENERATE, &["sig", "code", "comm", "pid", "grp"]).expect("a format"),
        delivered: Template::from_format(DELIVER, &["sig", "code"]).expect("a format"),
    }
}

fn names(frames: &[Frame]) -> Vec<&str> {
    frames.iter().map(|frame| frame.function.as_str()).collect()
}

#[test]
fn the_format_gives_the_fields_in_order() {
    let names: Vec<_> = new().victim.fields.into_iter().map(|field| field.name).collect();
    let expected = ["pid", "comm", "total-vm", "anon-rss", "file-rss", "shmem-rss", "uid", "pgtables", "oom_score_adj"];
    assert_eq!(names, expected);
    assert_eq!(Template::from_format(OLD, &["pid"]).expect("a format").fields.len(), 1);
    assert_eq!(Template::from_format(b"print fmt: \"x=%d\", REC->x\n", &["pid"]), None);
    assert_eq!(Template::from_format(b"", &["pid"]), None);
    assert_eq!(Template::from_format(b"print fmt: \"pid=%", &["pid"]), None);
}

#[test]
fn a_captured_victim_has_every_field_and_the_path() {
    let text = include_bytes!("../../../../../tests/logs/mark_victim-6.18-plain.trace");
    let records = parse(text, &new());
    let [Record::Victim(victim), Record::Stack { pid, frames }] = records.as_slice() else {
        panic!("{records:?}");
    };
    assert_eq!((victim.time_ns, victim.cpu, victim.invoker_pid, victim.pid), (990_840_195_000, 1, 5275, 5275));
    assert_eq!(victim.comm.as_deref(), Some(b"plain".as_slice()));
    assert_eq!(victim.total_vm_bytes, Some(82596 * 1024));
    assert_eq!(victim.anon_rss_bytes, Some(23600 * 1024));
    assert_eq!(victim.file_rss_bytes, Some(4152 * 1024));
    assert_eq!((victim.shmem_rss_bytes, victim.uid), (Some(0), Some(0)));
    assert_eq!((victim.pgtables_bytes, victim.oom_score_adj), (Some(108 * 1024), Some(0)));
    assert_eq!(*pid, 5275);
    assert_eq!(frames.len(), 13);
    assert_eq!(names(frames)[..3], ["mark_oom_victim", "__oom_kill_process", "oom_kill_process"]);
    assert_eq!((frames[0].offset, frames[0].size), (Some(0xba), Some(0x100)));
    assert_eq!(names(frames)[12], "asm_exc_page_fault");
}

#[test]
fn a_comm_cannot_break_the_text() {
    // Captured: comms with newline, arrow, brackets, and the event's own keys.
    for (text, comm) in [
        (
            include_bytes!("../../../../../tests/logs/mark_victim-6.18-arrow.trace").as_slice(),
            b"a => b\nc)[x]=-".as_slice(),
        ),
        (include_bytes!("../../../../../tests/logs/mark_victim-6.18-keys.trace").as_slice(), b"pid=1 comm=x ui"),
    ] {
        let records = parse(text, &new());
        let [Record::Victim(victim), Record::Stack { frames, .. }] = records.as_slice() else {
            panic!("{records:?}");
        };
        assert_eq!(victim.comm.as_deref(), Some(comm));
        assert_eq!(victim.invoker_comm, comm);
        assert_eq!(frames.len(), 13);
    }
}

#[test]
fn forged_literals_in_a_comm_do_not_split_a_record() {
    let stack = b" => a+0x1/0x2\n => b+0x3/0x4\n";
    for comm in [
        b": mark_victim: ".as_slice(),
        b"<stack trace>\n",
        b"\n => x+0x1/0x2",
        b" total-vm=1kB",
        b"x total-vm=1kB\n",
        b" oom_score_adj=",
        b"x-1 [001] ...1.",
        b"  1.000001: ",
        b"CPU:0 [LOST 5 E",
        b"\n\n\n",
        b"",
        b" ",
        b"\xff\xfe\x01",
    ] {
        let mut text = Vec::new();
        let one = |text: &mut Vec<u8>, event: &[u8]| {
            text.extend(std::iter::repeat_n(b' ', COMM_WIDTH - comm.len()));
            text.extend_from_slice(comm);
            text.extend_from_slice(b"-77      [003] d..1.    12.000345: ");
            text.extend_from_slice(event);
        };
        for _ in 0..2 {
            let event = [
                b"mark_victim: pid=78 comm=",
                comm,
                b" total-vm=9kB anon-rss=8kB file-rss:7kB shmem-rss:6kB uid=5 pgtables=4kB oom_score_adj=-3\n",
            ]
            .concat();
            one(&mut text, &event);
            one(&mut text, &[b"<stack trace>\n".as_slice(), stack].concat());
        }
        let records = parse(&text, &new());
        assert_eq!(records.len(), 4, "{comm:?}: {records:?}");
        for pair in records.chunks(2) {
            let [Record::Victim(victim), Record::Stack { pid: 77, frames }] = pair else {
                panic!("{comm:?}: {pair:?}");
            };
            assert_eq!(victim.comm.as_deref(), Some(comm));
            assert_eq!((victim.pid, victim.cpu, victim.oom_score_adj), (78, 3, Some(-3)));
            assert_eq!(victim.shmem_rss_bytes, Some(6 * 1024));
            assert_eq!(names(frames), ["a", "b"], "{comm:?}");
        }
    }
}

#[test]
fn an_old_kernel_gives_the_pid_alone() {
    // The layout of 5.10: four flag letters, the pid as the only field, frames without offsets.
    let text = b"            hog1-123     [000] d..1    45.678901: mark_victim: pid=123\n\
        \x20           hog1-123     [000] d..1    45.678905: <stack trace>\n\
        \x20=> mark_oom_victim\n => oom_kill_process\n";
    let records = parse(text, &templates(OLD));
    let [Record::Victim(victim), Record::Stack { frames, .. }] = records.as_slice() else {
        panic!("{records:?}");
    };
    assert_eq!((victim.pid, victim.time_ns), (123, 45_678_901_000));
    assert_eq!((&victim.comm, victim.uid, victim.anon_rss_bytes), (&None, None, None));
    assert_eq!(victim.invoker_comm, b"hog1");
    assert_eq!(names(frames), ["mark_oom_victim", "oom_kill_process"]);
    assert_eq!(frames[0].offset, None);
}

#[test]
fn losses_and_strange_text_are_records_too() {
    let text = b"CPU:1 [LOST 7 EVENTS]\n            hog1-123     [001] d..1    45.678901: mark_victim: pid=9\n\
        CPU:0 [LOST EVENTS]\nsomething else\n";
    let records = parse(text, &templates(OLD));
    assert_eq!(records.len(), 4, "{records:?}");
    assert_eq!(records[0], Record::Lost { cpu: 1, events: Some(7) });
    assert!(matches!(&records[1], Record::Victim(victim) if victim.pid == 9));
    assert_eq!(records[2], Record::Lost { cpu: 0, events: None });
    assert_eq!(records[3], Record::Unparsed(b"something else".to_vec()));
    assert!(parse(b"", &new()).is_empty());
}

#[test]
fn cut_text_never_panics() {
    let text = include_bytes!("../../../../../tests/logs/mark_victim-6.18-arrow.trace");
    for end in 0..text.len() {
        parse(&text[..end], &new());
        parse(&text[end..], &new());
    }
}
