//! Recordings: every sign that the collector took and every answer that it got, one JSON object a line, so that the same
//! accounts can be made again elsewhere.
//!
//! The first line says what was recorded and where. Each further line is one sign with the answers that the collector got
//! while it took it. An answer is left out where the question had the same answer before.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt::Display;
use std::io::{self, BufRead, Read as _, Write};
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::collect::Collector;
use super::oom::{Oom, SwapUse};
use super::scene::{GroupSeen, Scene, WorkerSeen};
use super::sign::{Sign, Told, Whose};
use super::victim::Input;
use crate::error::{Error, ErrorKind, Result};
use crate::map::Map;
use crate::memcg::contents::{Below, Contents};
use crate::memcg::workload::Named;
use crate::memcg::{Counters, Limit};
use crate::observe::missing::Missing;

/// The form of a recording.
const SCHEMA: &str = "memoom.signs/1";

/// With this every recording begins, of whatever form.
pub(crate) const BEGINNING: &[u8; 24] = b"{\"schema\":\"memoom.signs/";

/// The first line: what the collector was made with, and on which machine.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Heading {
    pub(crate) schema: String,
    /// The version of memoom.
    pub(crate) memoom: String,
    pub(crate) kernel: String,
    pub(crate) has_trace: bool,
    pub(crate) has_log: bool,
    /// The collector stood in a pid namespace.
    pub(crate) foreign: bool,
}

impl Heading {
    pub(crate) fn new(kernel: String, has_trace: bool, has_log: bool, foreign: bool) -> Heading {
        let (schema, memoom) = (SCHEMA.to_string(), env!("CARGO_PKG_VERSION").to_string());
        Heading { schema, memoom, kernel, has_trace, has_log, foreign }
    }

    /// The collector as it was made then.
    pub(crate) fn collector(&self) -> Collector {
        match self.foreign {
            true => Collector::inside_namespace(self.has_log),
            false => Collector::new(self.has_trace, self.has_log),
        }
    }
}

/// A sign with its answers, as it is written.
#[derive(Serialize)]
struct Written<'a> {
    sign: &'a Sign,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    answers: Vec<Answer>,
}

/// The same as it is read.
#[derive(Deserialize)]
struct Read {
    sign: Sign,
    #[serde(default)]
    answers: Vec<Answer>,
}

/// What was asked (`counters /lab/group`), how often it had been asked of this sign by then, and what came back.
#[derive(Serialize, Deserialize)]
struct Answer {
    asked: String,
    #[serde(default = "first", skip_serializing_if = "is_first")]
    nth: u32,
    is: Box<RawValue>,
}

fn first() -> u32 {
    1
}

fn is_first(nth: &u32) -> bool {
    *nth == 1
}

/// Writes a recording.
pub(crate) struct Recorder {
    out: Box<dyn Write + Send>,
    /// The last answer to each question.
    known: Map<String, String>,
}

impl Recorder {
    /// Begins a recording with its first line.
    pub(crate) fn new(mut out: Box<dyn Write + Send>, heading: &Heading) -> io::Result<Recorder> {
        out.write_all(format!("{}\n", crate::text::json(heading)).as_bytes())?;
        Ok(Recorder { out, known: Map::new() })
    }

    /// Has the collector take a sign, and writes both. The error is that of the writing alone.
    pub(crate) fn take(&mut self, to: &mut Collector, sign: Sign, scene: &dyn Scene) -> (Told, io::Result<()>) {
        let known = RefCell::new(std::mem::take(&mut self.known));
        let listening = Listening { scene, known, asked: RefCell::default(), answers: RefCell::default() };
        let told = to.take(sign.clone(), &listening);
        self.known = listening.known.into_inner();
        let line = crate::text::json(&Written { sign: &sign, answers: listening.answers.into_inner() });
        // One write a line, so that a reader never meets half of one but at the end of a broken-off recording.
        (told, self.out.write_all(format!("{line}\n").as_bytes()))
    }
}

/// A scene whose answers are written down.
struct Listening<'a> {
    scene: &'a dyn Scene,
    known: RefCell<Map<String, String>>,
    asked: RefCell<Map<String, u32>>,
    answers: RefCell<Vec<Answer>>,
}

impl Listening<'_> {
    fn note<T: Serialize>(&self, question: &str, of: &[&dyn Display], answer: T) -> T {
        self.note_text(asked(question, of), crate::text::json(&answer));
        answer
    }

    /// One copy for answers of all types.
    fn note_text(&self, asked: String, text: String) {
        let mut times = self.asked.borrow_mut();
        let nth = times.or_insert_with(asked.clone(), || 0);
        *nth += 1;
        let known = self.known.borrow_mut().insert(asked.clone(), text.clone());
        if known.as_deref() != Some(&text) {
            if let Ok(is) = RawValue::from_string(text) {
                self.answers.borrow_mut().push(Answer { asked, nth: *nth, is });
            }
        }
    }
}

/// A question as it is written: `counters /lab/group`.
fn asked(question: &str, of: &[&dyn Display]) -> String {
    let mut asked = question.to_string();
    for one in of {
        asked.push(' ');
        asked.push_str(&one.to_string());
    }
    asked.truncate(asked.trim_end().len());
    asked
}

/// The answers to one question that are still to come, each with how often it is to be asked.
type Coming = VecDeque<(u32, Box<RawValue>)>;

/// A scene that answers what was answered then.
#[derive(Default)]
struct Recorded {
    /// The last answer to each question.
    known: RefCell<Map<String, Box<RawValue>>>,
    /// What is to be answered of this sign, by how often it was asked.
    next: RefCell<Map<String, Coming>>,
    asked: RefCell<Map<String, u32>>,
    /// Somebody asked what the recording does not answer.
    unanswered: Cell<u64>,
}

impl Recorded {
    fn begin(&self, answers: Vec<Answer>) {
        *self.asked.borrow_mut() = Map::new();
        let mut next = self.next.borrow_mut();
        // What nobody asked for this time is known all the same.
        for (asked, rest) in std::mem::take(&mut *next) {
            if let Some((_, last)) = rest.into_iter().next_back() {
                self.known.borrow_mut().insert(asked, last);
            }
        }
        for answer in answers {
            next.or_insert_with(answer.asked, VecDeque::new).push_back((answer.nth, answer.is));
        }
    }

    fn recall<T: DeserializeOwned>(&self, question: &str, of: &[&dyn Display]) -> Option<T> {
        let mut answer = None;
        self.recall_text(asked(question, of), &mut |text| answer = serde_json::from_str(text).ok());
        if answer.is_none() && !LATER.contains(&question) {
            self.unanswered.set(self.unanswered.get() + 1);
        }
        answer
    }

    /// One copy for answers of all types: `read` gets the text, where there is one.
    fn recall_text(&self, asked: String, read: &mut dyn FnMut(&str)) {
        let mut times = self.asked.borrow_mut();
        let nth = times.or_insert_with(asked.clone(), || 0);
        *nth += 1;
        let mut known = self.known.borrow_mut();
        if let Some(next) = self.next.borrow_mut().get_mut(&asked) {
            while next.front().is_some_and(|(at, _)| at <= nth) {
                if let Some((_, answer)) = next.pop_front() {
                    known.insert(asked.clone(), answer);
                }
            }
        }
        if let Some(answer) = known.get(&asked) {
            read(answer.get());
        }
    }
}

/// A line of a recording is some KiB, of a group with thousands of processes some MiB. What has a longer one is none.
const LONGEST: u64 = 64 << 20;

/// Reads a line; whether there was one.
fn read_line(from: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    if from.take(LONGEST + 1).read_until(b'\n', line)? as u64 > LONGEST {
        let reason = format!("it is longer than {} MiB", LONGEST >> 20);
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, reason));
    }
    Ok(!line.is_empty())
}

/// A line. It is read as a text, as answers are: what reads a type stands in the library once for each kind of input.
fn parse<T: DeserializeOwned>(line: &[u8]) -> std::result::Result<T, String> {
    let text = std::str::from_utf8(line).map_err(|error| error.to_string())?;
    serde_json::from_str(text).map_err(|error| error.to_string())
}

/// Makes the accounts of a recording again. A last line that was broken off is left out.
///
/// # Errors
/// `InvalidInput` where it is no recording, or a line of it cannot be read (its number is named); `Io`.
pub(crate) fn replay(mut from: impl BufRead) -> Result<Vec<Oom>> {
    let bad = |number: usize, why: &dyn Display| {
        // What a damaged file holds stands in the reason of the parser.
        let why = why.to_string();
        // The parser has read this one line alone, and counts it as its first.
        let why = why.rsplit_once(" at line ").map_or(why.as_str(), |(why, _)| why);
        let why = crate::error::printable(why.as_bytes(), 300);
        Error::new(ErrorKind::InvalidInput, "replay", &format!("line {number} is not of a recording: {why}"))
            .remedy("give a file that memoom has recorded (--record, LabOptions.record)")
    };
    let failed = |number: usize, error: io::Error| match error.kind() {
        io::ErrorKind::FileTooLarge if error.raw_os_error().is_none() => bad(number, &error),
        _ => Error::os("replay", error),
    };
    let mut line = Vec::new();
    read_line(&mut from, &mut line).map_err(|error| failed(1, error))?;
    let heading: Heading = parse(&line).map_err(|error| bad(1, &error))?;
    if heading.schema != SCHEMA {
        return Err(bad(1, &format_args!("its form is {:?}, and this memoom reads {SCHEMA}", heading.schema)));
    }
    let mut collector = heading.collector();
    let scene = Recorded::default();
    let mut ooms = Vec::new();
    for number in 2.. {
        if !read_line(&mut from, &mut line).map_err(|error| failed(number, error))? {
            break;
        }
        let read: Read = match parse(&line) {
            Ok(read) => read,
            Err(_) if !line.ends_with(b"\n") => break,
            Err(error) => return Err(bad(number, &error)),
        };
        scene.begin(read.answers);
        ooms.extend(collector.take(read.sign, &scene).ooms);
    }
    if scene.unanswered.get() > 0 {
        let reason = format!("it answers not all that this memoom asks: it was made by {}", heading.memoom);
        ooms.iter_mut().for_each(|oom: &mut Oom| oom.missing.push(Missing::new("recording", reason.clone())));
    }
    Ok(ooms)
}

/// Both scenes answer the same questions; each question stands here once, with what an old recording is silent on.
macro_rules! questions {
    ($($name:ident($($of:ident: $kind:ty),*) -> $answer:ty, else $silent:expr;)*) => {
        impl Scene for Listening<'_> {
            $(fn $name(&self $(, $of: $kind)*) -> $answer {
                self.note(stringify!($name), &[$(&$of),*], self.scene.$name($($of),*))
            })*

            fn let_go(&self, pid: i32) {
                self.scene.let_go(pid);
            }
        }

        impl Scene for Recorded {
            $(fn $name(&self $(, $of: $kind)*) -> $answer {
                self.recall(stringify!($name), &[$(&$of),*]).unwrap_or_else(|| $silent)
            })*

            fn let_go(&self, _: i32) {}
        }
    };
}

questions! {
    now_ns() -> u64, else 0;
    page_bytes() -> u64, else 4096;
    cpus() -> u64, else 1;
    groups() -> Arc<Vec<GroupSeen>>, else Arc::default();
    chain(cgroup: &str) -> Vec<String>, else Vec::new();
    counters(cgroup: &str) -> std::result::Result<Counters, String>, else Err(SILENT.to_string());
    below(cgroup: &str) -> Vec<Below>, else Vec::new();
    swap(cgroup: &str) -> Option<SwapUse>, else None;
    contents(cgroup: &str) -> Option<Contents>, else None;
    named(cgroup: &str) -> Option<Named>, else None;
    limit(cgroup: &str) -> std::result::Result<Limit, String>, else Err(SILENT.to_string());
    oom_group(cgroup: &str) -> bool, else false;
    has_left(cgroup: &str) -> bool, else false;
    living(cgroup: &str) -> Vec<Input>, else Vec::new();
    pss_bytes(pid: i32) -> Option<u64>, else None;
    workers() -> Vec<WorkerSeen>, else Vec::new();
    is_orphan(pid: i32) -> bool, else false;
    missing() -> Vec<Missing>, else Vec::new();
    follow(pid: i32) -> bool, else false;
    has_ended(pid: i32) -> bool, else true;
    whose(pid: i32, time_ns: u64) -> Whose, else Whose::Unknown;
    group_of(pid: i32) -> Option<String>, else None;
    process_of(thread: i32) -> Option<i32>, else None;
    comm_of(pid: i32) -> Vec<u8>, else Vec::new();
    reports_begun() -> Vec<u64>, else Vec::new();
    is_ending(pid: i32) -> bool, else true;
    is_dying(pid: i32) -> bool, else true;
}

/// Questions that older recordings were not asked, or not of everybody; an account without the answer lacks a detail and
/// is no other.
const LATER: [&str; 5] = ["below", "group_of", "is_orphan", "named", "swap"];

/// Why an answer is not there.
const SILENT: &str = "the recording does not say";
