//! Lines that a terminal, a mail program or a page broke at its width are put together again.

use super::anchor::anchor;
use super::dress::{Read, Start};
use super::kill;
use super::lines::{invoked, Kind};
use super::parse;
use super::pieces::ends_with_old_adj;
use super::raw::Raw;
use super::scan::{contains, head, rfind, tail, trim_end, trim_start, word};

/// No log is narrower.
const NARROWEST: usize = 40;
/// So many blanks of a table may be lost where a line was broken.
const PADDING: usize = 12;
/// Nor as far behind this one.
const WIDEST: usize = 400;
/// What the kernel's words tell weighs more than lengths, which may be chance.
const SURE: usize = 4;
/// A line without a prefix that is indented further is a later line of the message above.
const INDENTED: usize = 14;

/// The width at which a log was broken.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Width {
    /// The longest line that was broken: any width up to `most` explains the breaks as well.
    columns: usize,
    most: usize,
    /// In the middle of words too.
    hard: bool,
    /// A single place says so.
    single: bool,
    /// Every whole line begins with what a logger puts there.
    prefixed: bool,
}

/// Where the lines of a log may have been broken.
pub(super) struct Breaks {
    starts: Vec<Start>,
    /// The lines that may be the rest of the one above.
    candidates: Vec<usize>,
}

impl Breaks {
    /// `None` where every line is whole.
    pub fn find(raws: &[Raw<'_>], reads: &[Read<'_>]) -> Option<Breaks> {
        let starts: Vec<Start> = raws.iter().zip(reads).map(|(raw, read)| read.start(raw)).collect();
        let prefixed = starts.contains(&Start::Prefixed);
        let mut candidates: Vec<usize> = Vec::new();
        for at in 1..raws.len() {
            if may_continue(raws, &starts, at, prefixed || candidates.last() == Some(&(at - 1))) {
                candidates.push(at);
            }
        }
        let any = !candidates.is_empty() || starts.contains(&Start::Empty);
        any.then_some(Breaks { starts, candidates })
    }

    /// Puts the broken lines together.
    pub fn fold<'a>(self, raws: Vec<Raw<'a>>) -> Vec<Raw<'a>> {
        let Breaks { starts, candidates } = self;
        let prefixed = starts.contains(&Start::Prefixed);
        let width = width(&raws, &candidates).map(|width| Width { prefixed, ..width });
        let mut folded: Vec<Raw<'a>> = Vec::with_capacity(raws.len());
        let mut candidates = candidates.into_iter().peekable();
        let mut before = (0, Start::Blank);
        for (at, raw) in raws.into_iter().enumerate() {
            let candidate = candidates.next_if(|&next| next == at).is_some();
            let now = (raw.columns(), starts[at]);
            let (columns, start) = std::mem::replace(&mut before, now);
            let bare = matches!(now.1, Start::Bare | Start::Nothing);
            match folded.last_mut() {
                Some(last) if start == Start::Empty && bare => join(last, &raw, b" "),
                Some(last) if candidate => match width.and_then(|width| glue(last, &raw, columns, width)) {
                    Some(glue) => join(last, &raw, &glue),
                    None => folded.push(raw),
                },
                _ => folded.push(raw),
            }
        }
        // What was known of a joined line's end was known of its beginning.
        for joined in folded.iter_mut().filter(|raw| raw.joined) {
            joined.anchor = anchor(&joined.text);
        }
        folded
    }
}

/// Whether a line can be the rest of the one above.
fn may_continue(raws: &[Raw<'_>], starts: &[Start], at: usize, marked: bool) -> bool {
    if starts[at] != Start::Nothing || matches!(starts[at - 1], Start::Blank | Start::Empty) {
        return false;
    }
    let (above, raw) = (&raws[at - 1], &raws[at]);
    if above.contained || leading(raw) >= INDENTED {
        return false;
    }
    // Without prefixes any line may be one of the kernel's: only a line that is not whole is proof.
    marked || is_broken(above, raw) == Some(true)
}

fn leading(raw: &Raw<'_>) -> usize {
    raw.text.len() - trim_start(&raw.text).len()
}

/// How much longer the line above would be with the next word: what did not fit.
fn next_word(above: &Raw<'_>, raw: &Raw<'_>) -> usize {
    let padded = contains(tail(&above.text, 24), b"  ");
    leading(raw) + word(&raw.text).0.len() + if padded { PADDING } else { 0 }
}

/// The width that explains the most breaks.
fn width(raws: &[Raw<'_>], candidates: &[usize]) -> Option<Width> {
    let mut steps = vec![0i32; WIDEST + 2];
    for &at in candidates {
        let least = raws[at - 1].columns();
        let most = least + next_word(&raws[at - 1], &raws[at]);
        if least <= WIDEST && most >= NARROWEST {
            steps[least.max(NARROWEST)] += 1;
            steps[most.min(WIDEST) + 1] -= 1;
        }
    }
    let (mut columns, mut most, mut covered, mut now) = (0, 0, 0, 0);
    for (at, step) in steps.iter().enumerate() {
        now += step;
        if now > covered {
            (columns, covered) = (at, now);
        }
        if now == covered && at == most + 1 || columns == at {
            most = at;
        }
    }
    let mut width = Width { columns, most, hard: false, single: covered == 1, prefixed: false };
    if covered == 0 {
        return None;
    }
    let longer = |columns: usize| {
        let too_long = |raw: &&Raw<'_>| raw.columns() > columns && !raw.contained && breakable(raw, columns);
        raws.iter().filter(too_long).count() as i32 * 10 > covered
    };
    if longer(most) {
        return None;
    }
    width.hard = !longer(columns) && is_hard(raws, candidates, width);
    Some(width)
}

/// Whether words were broken too: pieces go on with a blank, or fit together only without one.
fn is_hard(raws: &[Raw<'_>], candidates: &[usize], width: Width) -> bool {
    let (mut words, mut middles, mut exact, mut all) = (0, 0, 0, 0);
    let mut candidates = candidates.iter().copied().peekable();
    while let Some(first) = candidates.next() {
        // The line as a terminal would have broken it, and as a mail program would.
        let mut glued = raws[first - 1].text.to_vec();
        let mut spaced = glued.clone();
        let mut at = Some(first);
        while let Some(now) = at {
            let (above, raw) = (&raws[now - 1], &raws[now]);
            if !reaches(above, above.columns(), raw, width) {
                break;
            }
            all += 1;
            exact += usize::from(above.columns() + 1 >= width.columns);
            let blank = leading(raw) > 0;
            middles += SURE * usize::from(blank);
            words += usize::from(!blank && above.columns() + 1 < width.columns);
            glued.resize(glued.len() + width.columns - above.columns(), b' ');
            spaced.push(b' ');
            glued.extend_from_slice(&raw.text);
            spaced.extend_from_slice(trim_start(&raw.text));
            at = candidates.next_if_eq(&(now + 1));
        }
        let (glued, spaced) = (whole_text(&glued) == Some(true), whole_text(&spaced) == Some(true));
        middles += SURE * usize::from(glued && !spaced);
        words += SURE * usize::from(spaced && !glued);
    }
    middles > words || (middles == words && exact == all && all > 1)
}

/// Whether the line above was as long as the width allows: the next word did not fit.
fn reaches(above: &Raw<'_>, columns: usize, raw: &Raw<'_>, width: Width) -> bool {
    columns <= width.columns && width.columns <= columns + next_word(above, raw)
}

/// Whether a line that is too long has a blank at which it could have been broken.
fn breakable(raw: &Raw<'_>, columns: usize) -> bool {
    raw.text.get(24..columns.min(raw.text.len())).is_some_and(|part| part.contains(&b' '))
}

/// What stood where the line was broken, if it was.
fn glue(above: &Raw<'_>, raw: &Raw<'_>, columns: usize, width: Width) -> Option<Vec<u8>> {
    if !reaches(above, columns, raw, width) {
        return None;
    }
    if width.single {
        // One line alone is proof if it was not whole and is so now, or if it is as long as mail and terminals are wide.
        return match is_broken(above, raw) {
            Some(true) => whole_glue(above, raw),
            Some(false) => None,
            None if !width.prefixed => None,
            // A line that is exactly as wide was more likely broken in a word than behind one.
            None if COMMON.contains(&width.columns) => Some(Vec::new()),
            None => COMMON.iter().any(|common| (width.columns..=width.most).contains(common)).then(|| b" ".to_vec()),
        };
    }
    // Terminals leave blanks at the end of a line out.
    Some(if width.hard { vec![b' '; width.columns - columns] } else { b" ".to_vec() })
}

/// How wide mail programs and terminals are.
const COMMON: [usize; 16] = [60, 64, 66, 70, 72, 74, 76, 78, 79, 80, 90, 96, 100, 110, 120, 132];

/// Whether a line is one of a report's that lacks its end; `None`: its kind does not tell.
fn is_broken(above: &Raw<'_>, raw: &Raw<'_>) -> Option<bool> {
    // A frame goes on in the middle of its numbers or not at all.
    let last = above.text.rsplit(|&byte| byte == b' ').next().unwrap_or_default();
    let digit = |byte: &u8| byte.is_ascii_hexdigit() || b"x/)]".contains(byte);
    if above.anchor.is_none() && contains(last, b"+0x") && !word(&raw.text).0.iter().all(digit) {
        return Some(false);
    }
    // Broken before the words that make it one.
    if above.anchor.is_none() && contains(tail(&above.text, 64), b"ut of memory: Kill") {
        return Some(true);
    }
    match (above.anchor.map(|anchor| anchor.kind), whole_text(&above.text)) {
        // The rest of a name or a path cannot be told from other text.
        (Some(Kind::Row | Kind::TaskIn | Kind::LimitReached | Kind::GroupTail), None) => Some(false),
        (_, whole) => whole.map(|whole| !whole),
    }
}

/// What makes two pieces a whole line.
fn whole_glue(above: &Raw<'_>, raw: &Raw<'_>) -> Option<Vec<u8>> {
    let (glued, spaced) = (whole(above, raw, b""), whole(above, raw, b" "));
    // Where both do, a name was broken, and few names have blanks.
    let inside = !matches!(above.text.last(), None | Some(b',' | b')' | b';' | b' '));
    match (glued, spaced) {
        (false, false) => None,
        (true, false) => Some(Vec::new()),
        (true, true) if inside => Some(Vec::new()),
        (_, true) => Some(b" ".to_vec()),
    }
}

/// Whether two pieces make a whole line with this between them.
fn whole(above: &Raw<'_>, raw: &Raw<'_>, glue: &[u8]) -> bool {
    let text = [trim_end(&above.text), glue, trim_start(&raw.text)].concat();
    whole_text(&text) == Some(true)
}

/// Whether a blank stands before each of these words that is there.
fn apart(line: &[u8], words: &[&[u8]]) -> bool {
    words.iter().all(|word| rfind(line, word).is_none_or(|at| at > 0 && line[at - 1] == b' '))
}

/// Whether a line of a report has all that its kind has; `None`: it is none, or its kind does not tell.
pub(super) fn whole_text(text: &[u8]) -> Option<bool> {
    let text = trim_end(text);
    let Some(found) = anchor(text) else {
        let at = invoked(head(text, 256))?;
        let plain = head(&text[at..], 512);
        let flags = plain.split(|&byte| byte == b'(').nth(1).and_then(|flags| flags.split(|&byte| byte == b')').next());
        let sound = flags.is_none_or(|flags| !flags.contains(&b' '));
        let (invoker, _) = parse::invoker(text)?;
        let adj = invoker.oom_score_adj.is_some() || ends_with_old_adj(text);
        let sound = sound && apart(text, &[b"gfp_mask=", b"order=", b"nodemask=", b"oom_score_adj="]);
        return Some(sound && invoker.gfp_mask.is_some() && invoker.order.is_some() && adj);
    };
    let line = &text[found.start()..];
    let ended = found.end() == Some(text.len());
    match found.kind {
        Kind::Killed => {
            let killed = kill::killed(line)?;
            // Only kernels of which the line has no heading end it before shmem-rss.
            let kill = &killed.kill;
            let sizes = (kill.shmem_rss_bytes.is_some() || killed.scope.is_none())
                && (kill.anon_rss_bytes.is_some() && kill.file_rss_bytes.is_some() || kill.total_vm_bytes.is_none());
            const KEYS: [&[u8]; 7] =
                [b"total-vm:", b"anon-rss:", b"file-rss:", b"shmem-rss:", b"UID:", b"pgtables:", b"oom_score_adj:"];
            Some(ended && sizes && killed.unread.is_empty() && apart(line, &KEYS))
        }
        Kind::Usage => Some(ended && parse::usage(line).is_some_and(|(_, usage)| usage.is_some())),
        Kind::Summary => {
            let summary = parse::summary(line);
            let short = [&summary.nodemask, &summary.mems_allowed].into_iter().flatten();
            let sound = short.into_iter().all(|list| !list.contains(&b' '));
            let end = summary.end(None);
            let named = end.task_memcg.is_some() && end.comm.is_some();
            Some(ended && sound && named && (summary.memcg || summary.global) && summary.pid.is_some())
        }
        Kind::StatHeader => {
            let (_, pairs) = parse::stat_header(line);
            let sound = |word: &[u8]| word.is_empty() || word.contains(&b':') && word.ends_with(b"B");
            Some(ended || !pairs.is_empty() && pairs.split(|&byte| byte == b' ').all(sound))
        }
        Kind::KillProcess => {
            Some(ended && kill::sacrifice(line).is_some_and(|(sacrifice, _)| sacrifice.score.is_some()))
        }
        Kind::TableHeader => Some(ended && !contains(line, b" _")),
        Kind::Protection => Some(ended),
        _ => None,
    }
}

fn join<'a>(above: &mut Raw<'a>, raw: &Raw<'a>, glue: &[u8]) {
    let text = above.text.to_mut();
    text.extend_from_slice(glue);
    text.extend_from_slice(&raw.text);
    above.ends_at(raw);
    if above.anchor.is_none_or(|anchor| anchor.end().is_none()) {
        above.anchor = anchor(&above.text);
    }
}
