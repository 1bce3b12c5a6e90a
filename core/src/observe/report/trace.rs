//! The dump_stack block: who ran where on which kernel, and the frames of its call trace.

use memchr::memchr2;

use super::scan::{digits, find, head, number, split, trim_end, trim_start, word};
use super::shape::MONTHS;
use super::TraceFrame;

/// No line has more frames.
const LINE: usize = 8;

/// What the `CPU: … PID: … Comm: …` line tells.
#[derive(Debug, Default)]
pub(super) struct Cpu {
    pub cpu: Option<u32>,
    pub pid: Option<i32>,
    pub comm: Option<Vec<u8>>,
    pub release: Option<Vec<u8>>,
}

/// `CPU: 0 PID: 76 Comm: …`, since 6.12 with `UID: 0` between; before 3.10 `Pid: 76, comm: …`.
pub(super) fn is_cpu(line: &[u8]) -> bool {
    line.strip_prefix(b"CPU: ").is_some_and(|rest| digits(rest) > 0)
        || line.strip_prefix(b"Pid: ").is_some_and(|rest| digits(rest) > 0)
}

/// Reads that line. The name of the process may hold anything, so the invoker's name decides where it ends.
pub(super) fn cpu(line: &[u8], invoker: Option<&[u8]>) -> Cpu {
    let line = trim_start(line);
    let field = |key: &[u8]| split(head(line, 96), key).and_then(|(_, rest)| number(rest)).map(|(value, _)| value);
    let name = split(line, b" Comm: ").or_else(|| split(line, b", comm: ")).map(|(_, rest)| rest);
    let name = name.map(|rest| {
        let known = invoker.filter(|comm| rest.strip_prefix(*comm).is_some_and(|rest| rest.starts_with(b" ")));
        let end = known.map(<[u8]>::len).or_else(|| taint(rest).map(|(at, _)| at));
        trim_name(&rest[..end.unwrap_or(rest.len())])
    });
    Cpu {
        cpu: field(b"CPU: ").and_then(|cpu| u32::try_from(cpu).ok()),
        pid: field(b"PID: ").or_else(|| field(b"Pid: ")).and_then(|pid| i32::try_from(pid).ok()),
        comm: name.map(<[u8]>::to_vec),
        release: release(line).map(<[u8]>::to_vec),
    }
}

/// Whether a line begins what the kernel has to say about something else.
pub(super) fn is_alarm(line: &[u8]) -> bool {
    const ALARMS: [&[u8]; 9] = [
        b"WARNING: ",
        b"BUG: ",
        b"INFO: task ",
        b"INFO: rcu",
        b"------------[ cut here ]",
        b"---[ end trace ",
        b"watchdog: ",
        b"general protection fault",
        b"NMI watchdog: ",
    ];
    ALARMS.iter().any(|alarm| line.starts_with(alarm))
}

/// Whether a function is one that only an OOM of a memory cgroup calls.
pub(super) fn is_of_memcg(function: &str) -> bool {
    ["mem_cgroup_out_of_memory", "mem_cgroup_oom_synchronize", "mem_cgroup_handle_oom"].contains(&function)
}

/// Whether a function is one that every OOM calls.
pub(super) fn is_of_oom(function: &str) -> bool {
    is_of_memcg(function) || ["out_of_memory", "oom_kill_process", "dump_header", "__out_of_memory"].contains(&function)
}

/// Whether a trace shows that the machine's memory was out: the allocator of pages called the killer, or a user did.
pub(super) fn is_of_machine(trace: &[TraceFrame]) -> bool {
    let mut certain = trace.iter().filter(|frame| !frame.uncertain).map(|frame| frame.function.as_str());
    let killer = certain.find(|function| *function == "out_of_memory" || function.starts_with("out_of_memory."));
    let caller = killer.and_then(|_| certain.next()).unwrap_or_default();
    caller.starts_with("__alloc_pages") || ["pagefault_out_of_memory", "moom_callback"].contains(&caller)
}

fn trim_name(name: &[u8]) -> &[u8] {
    name.strip_suffix(b" Kdump: loaded").unwrap_or(name)
}

/// Where the taint state begins and what follows its words.
fn taint(text: &[u8]) -> Option<(usize, &[u8])> {
    let window = head(text, 160);
    let not = find(window, b" Not tainted").map(|at| (at, &text[at + 12..]));
    not.or_else(|| find(window, b" Tainted: ").map(|at| (at, &text[at + 10..])))
}

/// The kernel release: the first word behind the taint letters that begins with a digit.
pub(super) fn release(line: &[u8]) -> Option<&[u8]> {
    let (_, mut rest) = taint(line)?;
    for _ in 0..32 {
        let (token, after) = word(rest);
        if token.is_empty() {
            return None;
        }
        if token[0].is_ascii_digit() {
            return Some(token);
        }
        rest = after;
    }
    None
}

/// One frame, in the notations of x86, arm64, arm, powerpc and s390; `None` for registers and everything else.
pub(super) fn frame(line: &[u8]) -> Option<TraceFrame> {
    let mut rest = trim_end(trim_start(line));
    if rest.len() > 512 {
        return None;
    }
    let mut uncertain = false;
    // s390 puts its first frame in parentheses.
    if let Some(inner) = rest.strip_prefix(b"([<") {
        rest = rest.strip_suffix(b")").map_or(rest, |_| &inner[..inner.len() - 1]);
    }
    // Addresses, `?` and arm's "(caller) from" may stand before the function.
    let mut module_before = None;
    for _ in 0..5 {
        let (token, after) = word(rest);
        // klogd writes its own reading of the symbol before the kernel's: `[module:name+0x1/0x2] name+0x1/0x2`.
        if let Some(module) = klogd(token).filter(|_| word(after).0.contains(&b'+')) {
            module_before = module;
            rest = after;
            continue;
        }
        let bare = token.strip_prefix(b"(").map_or(token, |inner| inner.strip_suffix(b")").unwrap_or(inner));
        if let Some((function, offset, size)) = symbol(bare) {
            // Old kernels print the place in the one who was called too: `(callee+0x1/0x2) from [<1>] (caller+0x3/0x4)`.
            if trim_start(after).starts_with(b"from ") {
                rest = after;
                continue;
            }
            let (module, doubtful) = tail_words(after)?;
            return Some(TraceFrame {
                function: String::from_utf8_lossy(function).into_owned(),
                offset: Some(offset),
                size: Some(size),
                module: module.or(module_before),
                uncertain: uncertain || doubtful,
            });
        }
        if let Some(module) = decoded(token, after) {
            let function = String::from_utf8_lossy(token).into_owned();
            return Some(TraceFrame { function, offset: None, size: None, module, uncertain });
        }
        let address = (token.first().is_some_and(|byte| matches!(byte, b'[' | b'(')) || token.ends_with(b">]"))
            && token.iter().all(|byte| byte.is_ascii_hexdigit() || b"[]<>()".contains(byte));
        let from = token == b"from" || trim_start(after).starts_with(b"from ");
        if token == b"?" {
            uncertain = true;
        } else if !address && !from {
            return None;
        }
        rest = after;
    }
    None
}

/// Whether a line is a frame of a kernel that has no names: `[<800a22e4>] 0x800a22e4`.
pub(super) fn is_nameless(line: &[u8]) -> bool {
    let (address, rest) = word(trim_start(line));
    let (again, rest) = word(rest);
    let inside = address.strip_prefix(b"[<").and_then(|inside| inside.strip_suffix(b">]"));
    trim_start(rest).is_empty() && inside.is_some_and(|inside| again.strip_prefix(b"0x") == Some(inside))
}

/// The frames of a line: one, or several where the breaks behind them were lost.
pub(super) fn frames(line: &[u8]) -> Vec<TraceFrame> {
    frame(line).map_or_else(|| several(line).unwrap_or_default(), |frame| vec![frame])
}

/// Whether a line has one: most are asked for that alone.
pub(super) fn has_frame(line: &[u8]) -> bool {
    frame(line).is_some() || several(line).is_some()
}

/// Two frames or more and nothing else.
fn several(line: &[u8]) -> Option<Vec<TraceFrame>> {
    let (mut frames, mut uncertain) = (Vec::<TraceFrame>::new(), false);
    for token in line.split(|byte| matches!(byte, b' ' | b'\t')).filter(|token| !token.is_empty()) {
        let function = symbol(token).map(|(function, ..)| function);
        let address = token.starts_with(b"[<") && token.ends_with(b">]");
        if function.is_some() && frames.len() < LINE {
            frames.push(TraceFrame { uncertain: std::mem::take(&mut uncertain), ..frame(token)? });
        } else if token == b"?" {
            uncertain = true;
        } else if !address || function.is_some() {
            frames.last_mut().filter(|_| token.starts_with(b"["))?.module = tail_words(token)?.0;
        }
    }
    (frames.len() > 1 && !uncertain).then_some(frames)
}

/// The module behind `(mm/oom_kill.c:450 (discriminator 1))`, which tools write in place of the offset of a function.
fn decoded(function: &[u8], behind: &[u8]) -> Option<Option<String>> {
    let named = |byte: &u8| byte.is_ascii_alphanumeric() || b"_.$-".contains(byte);
    let place = trim_start(behind).strip_prefix(b"(")?;
    let file = place.iter().position(|byte| matches!(byte, b':' | b' ' | b')'))?;
    let source = [&b".c"[..], b".h", b".S", b".rs"].iter().any(|end| place[..file].ends_with(end));
    let lined = place[file] == b':' && digits(&place[file + 1..]) > 0;
    if !source || !lined || !function.iter().all(named) {
        return None;
    }
    let rest = &place[place.iter().rposition(|&byte| byte == b')')? + 1..];
    let (module, behind) = word(rest);
    if !module.is_empty() && trim_start(behind).is_empty() && module.iter().all(named) {
        return Some(Some(String::from_utf8_lossy(module).into_owned()));
    }
    tail_words(rest).map(|(module, _)| module)
}

/// Whether a line may hold a frame: most lines of a log are asked, so that it takes no more than a look for two bytes.
pub(super) fn may_be_frame(line: &[u8]) -> bool {
    memchr2(b'+', b'(', line)
        .is_some_and(|at| line[at] == b'+' || line[at + 1..].contains(&b':') || line.contains(&b'+'))
}

/// `[name+0x1f/0x40]`, `[module:name+31/64]`, and the module.
fn klogd(token: &[u8]) -> Option<Option<String>> {
    let inside = token.strip_prefix(b"[")?.strip_suffix(b"]")?;
    let (name, place) = split(inside, b"+")?;
    if name.is_empty() || !place.contains(&b'/') {
        return None;
    }
    Some(split(name, b":").map(|(module, _)| String::from_utf8_lossy(module).into_owned()))
}

/// `name+0x1f/0x40`
fn symbol(token: &[u8]) -> Option<(&[u8], u64, u64)> {
    let (function, rest) = split(token, b"+0x")?;
    let (offset, size) = split(rest, b"/0x")?;
    (!function.is_empty()).then_some(())?;
    Some((function, hex(offset)?, hex(size)?))
}

fn hex(text: &[u8]) -> Option<u64> {
    u64::from_str_radix(std::str::from_utf8(text).ok()?, 16).ok()
}

/// What may stand behind a frame: `[module]` (with a build id), `(unreliable)`, arm64's `(P)`.
fn tail_words(mut rest: &[u8]) -> Option<(Option<String>, bool)> {
    let (mut module, mut doubtful) = (None, false);
    for _ in 0..4 {
        let (token, after) = word(rest);
        match token {
            b"" => return Some((module, doubtful)),
            b"(unreliable)" => doubtful = true,
            _ if token.starts_with(b"[") => {
                let name = &token[1..];
                module = Some(String::from_utf8_lossy(name.strip_suffix(b"]").unwrap_or(name)).into_owned());
            }
            // A mail program broke the next line behind its day.
            _ if is_date(rest) => return Some((module, doubtful)),
            // The build id behind a module's name, and the marks that arm64 puts in brackets.
            _ if token.ends_with(b"]") || token.starts_with(b"(") => {}
            _ => return None,
        }
        rest = after;
    }
    Some((module, doubtful))
}

/// `Feb 4`, the beginning of the next line.
fn is_date(text: &[u8]) -> bool {
    let (month, rest) = word(text);
    let (day, rest) = word(rest);
    MONTHS.contains(&month) && day.len() < 3 && digits(day) == day.len() && trim_start(rest).is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(line: &[u8]) -> Option<(String, u64, u64, Option<String>, bool)> {
        let read = |frame: TraceFrame| {
            (frame.function, frame.offset.unwrap(), frame.size.unwrap(), frame.module, frame.uncertain)
        };
        frame(line).map(read)
    }

    #[test]
    fn frames_of_many_architectures() {
        let plain = |name: &str, offset, size| Some((name.to_string(), offset, size, None, false));
        assert_eq!(seen(b" dump_stack_lvl+0x57/0x80"), plain("dump_stack_lvl", 0x57, 0x80));
        assert_eq!(seen(b" oom_kill_process.cold+0x8/0x8a"), plain("oom_kill_process.cold", 8, 0x8a));
        assert_eq!(seen(b" [<ffffffff8168638f>] dump_stack+0x19/0x1b"), plain("dump_stack", 0x19, 0x1b));
        assert!(seen(b"[c00000002f8f3800] [c000000000a8f3bc] dump_stack+0xb0/0xf0 (unreliable)").unwrap().4);
        assert!(seen(b" ? hrtimer_nanosleep+0xc2/0x140").unwrap().4);
        assert_eq!(
            seen(b"[<c010f524>] (unwind_backtrace) from [<c010b0b4>] (show_stack+0x10/0x14)"),
            plain("show_stack", 0x10, 0x14)
        );
        assert_eq!(seen(b"([<000000000011413a>] show_stack+0x62/0xb0)"), plain("show_stack", 0x62, 0xb0));
        assert_eq!(seen(b" unwind_backtrace from show_stack+0x10/0x14"), plain("show_stack", 0x10, 0x14));
        assert_eq!(seen(b" [show_trace+31/64] show_trace+0x1f/0x40"), plain("show_trace", 0x1f, 0x40));
        assert_eq!(seen(b" [nfs:f+0x1/0x2] f+0x1/0x2").unwrap().3.as_deref(), Some("nfs"));
        assert_eq!(seen(b" [<c0141f8a>] f+0x39/0x47 Feb 4"), plain("f", 0x39, 0x47));
        assert!(is_nameless(b" [<800a22e4>] 0x800a22e4") && !is_nameless(b"[<800a22e4>] f+0x1/0x2"));
        assert_eq!(seen(b" xfs_file_read+0x1/0x2 [xfs]").unwrap().3.as_deref(), Some("xfs"));
        assert_eq!(seen(b" xfs_file_read+0x1/0x2 [xfs 0123abcd]").unwrap().3.as_deref(), Some("xfs"));
    }

    #[test]
    fn two_frames_in_one_line() {
        let read = |line: &[u8]| {
            let names = frames(line).into_iter().map(|frame| (frame.function, frame.module, frame.uncertain));
            names
                .map(|(name, module, doubt)| format!("{name} {} {doubt}", module.unwrap_or_default()))
                .collect::<Vec<_>>()
        };
        assert_eq!(read(b" [<c01>] a+0x1/0x2 [<c02>] ? b+0x3/0x4 [xfs] [<c03>] c+0x5/0x6"), {
            ["a  false", "b xfs true", "c  false"]
        });
        assert_eq!(read(b" a+0x1/0x2 b+0x3/0x4"), ["a  false", "b  false"]);
        assert_eq!(read(b"[<c01>] (a+0x0/0xf0) from [<c02>] (b+0x48/0x114)"), ["b  false"]);
        for line in [&b"RIP: a+0x1/0x2 b+0x3/0x4"[..], b"a+0x1/0x2 and b+0x3/0x4", b"a+0x1/0x2 b+0x3/0x4 ?"] {
            assert!(frames(line).is_empty(), "{}", String::from_utf8_lossy(line));
        }
    }

    #[test]
    fn frames_with_the_line_of_the_source() {
        let read = |line: &[u8]| {
            let read = frame(line).unwrap();
            assert_eq!((read.offset, read.size), (None, None));
            (read.function, read.module, read.uncertain)
        };
        let named = |name: &str| (name.to_string(), None, false);
        assert_eq!(read(b" dump_stack_lvl (lib/dump_stack.c:122)"), named("dump_stack_lvl"));
        assert_eq!(
            read(b" oom_kill_process.cold (mm/oom_kill.c:450 (discriminator 1) mm/oom_kill.c:1041 (discriminator 1))"),
            named("oom_kill_process.cold")
        );
        assert_eq!(read(b" entry (arch/x86/entry/entry_64.S:130)"), named("entry"));
        assert!(read(b" ? show_stack (arch/x86/kernel/dumpstack.c:319)").2);
        assert_eq!(read(b" f (fs/xfs/xfs_file.c:12) [xfs]").1.as_deref(), Some("xfs"));
        for line in
            [&b"see (mm/oom_kill.c:12) for it"[..], b"EIP: 0010:f (a.c:1)", b"f (a.c)", b"f (a: 1)", b"f (a.c:x)"]
        {
            assert!(frame(line).is_none(), "{}", String::from_utf8_lossy(line));
        }
    }

    #[test]
    fn registers_are_no_frames() {
        for line in [
            &b"RIP: 0010:copy_user+0x1/0x2"[..],
            b"pc : dump_backtrace+0x0/0x1e0",
            b" <TASK>",
            b"R10: 0000000000000022 R11: 0000000000000246",
            b"Code: 00 00 <c6> 04",
            b"",
            b" 0xffffffffffffffff",
        ] {
            assert_eq!(seen(line), None, "{}", String::from_utf8_lossy(line));
        }
    }

    #[test]
    fn releases() {
        for (line, expected) in [
            (
                &b"CPU: 0 PID: 76 Comm: plain Not tainted 5.10.0-32-cloud-amd64 #1 Debian 5.10.223-1"[..],
                &b"5.10.0-32-cloud-amd64"[..],
            ),
            (b"CPU: 3 PID: 1 Comm: x y Tainted: G        W  OE     4.4.0-31-generic #50-Ubuntu", b"4.4.0-31-generic"),
            (b"CPU: 3 PID: 1 Comm: java Kdump: loaded Not tainted 4.18.0-147.el8.x86_64 #1", b"4.18.0-147.el8.x86_64"),
        ] {
            assert_eq!(release(line), Some(expected));
        }
        let read = cpu(b"CPU: 3 UID: 0 PID: 7 Comm: java Kdump: loaded Not tainted 6.12.0 #1", None);
        assert_eq!((read.cpu, read.pid, read.comm.as_deref()), (Some(3), Some(7), Some(&b"java"[..])));
    }
}
