//! A message of each kind, as long as it may be, for tests and as what fuzzing begins with.

use super::{role, stage, Command, Message, Notice, Request, Start, Usage, MOST_NAME, VERSION};

const NAME: &[u8] = &[b'n'; MOST_NAME];

pub(crate) fn requests() -> [Request<'static>; 8] {
    let start = Start {
        id: 7,
        role: role::COMMAND,
        kind: 1,
        period_ns: u64::MAX,
        oom_score_adj: -1000,
        pgid: 4,
        fds: 255,
        name: NAME,
    };
    [
        Request::Start(start),
        Request::GuardTree { version: 2, name: NAME },
        Request::HoldTree { token: 3 << 32 },
        Request::GuardInstance { name: b"i" },
        Request::GuardRestore { text: b"-memory" },
        Request::Unguard { token: 1 << 40 },
        Request::KillAt { deadline_ns: 6 },
        Request::End { deadline_ns: 5 },
    ]
}

pub(crate) fn notices() -> [Notice<'static>; 5] {
    let usage = Usage { user_usec: 1, system_usec: 2, max_rss_bytes: 3 };
    [
        Notice::Hello { version: VERSION, pid: 12 },
        Notice::Reply { serial: 1, stage: stage::EXEC, errno: 2, token: 3, pid: 4, left: NAME },
        Notice::Exit { id: 1, pid: 2, status: 9, usage, time_ns: 4 },
        Notice::Orphan { pid: 1, status: -1, time_ns: 3 },
        Notice::Lost { orphans: 8 },
    ]
}

pub(crate) fn commands() -> [Command; 2] {
    [Command::Grow { bytes: 1 }, Command::Shrink { bytes: u64::MAX }]
}

pub(crate) fn messages() -> [Message; 6] {
    [
        Message::Ready { pid: 1, page_bytes: 4096 },
        Message::Grew { total_bytes: 1, bytes: 2, errno: 5, start_ns: 3, end_ns: 4 },
        Message::Shrunk { total_bytes: 1, bytes: 2, start_ns: 3, end_ns: 4 },
        Message::Failed { errno: 12, total_bytes: 4 },
        Message::Tick { n: 1, time_ns: 2 },
        Message::Refused { stage: stage::JOIN, errno: 16 },
    ]
}
