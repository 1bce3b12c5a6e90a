//! Lines that a terminal, a mail program or a page broke at its width are put together again.

use super::anchor::anchor;
use super::dress::Start;
use super::lines::{invoked, Kind, INVOKED};
use super::raw::Raw;
use super::reflow::is_within;
use super::scan::{contains, head, tail, trim_end, trim_start, word};
use super::whole::{has_known_columns, whole_text};

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
    pub fn find(raws: &[Raw<'_>], starts: Vec<Start>) -> Option<Breaks> {
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
        let proofs = proofs(&raws, &candidates);
        let mut proofs = proofs.into_iter().peekable();
        let mut folded: Vec<Raw<'a>> = Vec::with_capacity(raws.len());
        let mut candidates = candidates.into_iter().peekable();
        let mut before = (0, Start::Blank);
        for (at, raw) in raws.into_iter().enumerate() {
            let candidate = candidates.next_if(|&next| next == at).is_some();
            let proof = proofs.next_if(|proof| proof.at == at);
            let now = (raw.columns(), starts[at]);
            let (columns, start) = std::mem::replace(&mut before, now);
            let bare = matches!(now.1, Start::Bare | Start::Nothing);
            match folded.last_mut() {
                Some(last) if start == Start::Empty && bare => join(last, &raw.text, &raw, b" "),
                Some(last) if candidate => {
                    let by_width = width.and_then(|width| glue(last, &raw, columns, width));
                    match (proof, by_width) {
                        (Some(proof), by_width) if !proof.either || by_width.is_none() => prove(last, &raw, &proof),
                        (_, Some(glue)) => {
                            let soft = width.is_some_and(|width| !width.hard && !width.single);
                            let rest = if soft { trim_start(&raw.text) } else { &raw.text };
                            join(last, rest, &raw, &glue);
                        }
                        _ => folded.push(raw),
                    }
                }
                _ => folded.push(raw),
            }
        }
        folded
    }
}

/// What stood before a line that makes the broken one above whole.
#[derive(Debug)]
struct Proof {
    at: usize,
    glue: &'static [u8],
    /// The line above is whole with a blank as well as without.
    either: bool,
}

/// A line of a report is broken into no more pieces than this.
const PIECES: usize = 4;

/// The pieces that make lines of a report whole, whatever the width is: a terminal may have broken them, then a mail program.
fn proofs(raws: &[Raw<'_>], candidates: &[usize]) -> Vec<Proof> {
    let mut proofs: Vec<Proof> = Vec::new();
    for (index, &first) in candidates.iter().enumerate() {
        let within =
            index > 0 && candidates[index - 1] + 1 == first && proofs.last().is_some_and(|last| last.at + 1 == first);
        let above = &raws[first - 1];
        // What comes behind these words is joined where reports are put together.
        let joined = trim_end(&above.text).ends_with(INVOKED);
        if within || joined || is_broken(above, &raws[first]) != Some(true) {
            continue;
        }
        let run = candidates[index..].iter().zip(first..).take_while(|(at, next)| *at == next).count();
        let found = (1..=run.min(PIECES)).find_map(|count| whole_pieces(raws, first, count));
        proofs.extend(found.into_iter().flatten());
    }
    proofs
}

/// The glue of so many pieces that makes a whole line of them and the one above: the likelier at each place first.
fn whole_pieces(raws: &[Raw<'_>], first: usize, count: usize) -> Option<Vec<Proof>> {
    let above = &raws[first - 1];
    let likely = |at: usize| -> [&'static [u8]; 2] {
        let last = raws[at - 1].text.last();
        let apart =
            matches!(last, None | Some(b',' | b')' | b';' | b' ')) || last == Some(&b':') && above.anchor.is_some();
        if apart {
            [b" ", b""]
        } else {
            [b"", b" "]
        }
    };
    let mut proofs: Option<Vec<Proof>> = None;
    for choice in 0..1usize << count {
        let mut text = trim_end(&above.text).to_vec();
        let glues: Vec<&'static [u8]> = (0..count).map(|piece| likely(first + piece)[choice >> piece & 1]).collect();
        for (at, glue) in (first..).zip(&glues) {
            text.extend_from_slice(glue);
            text.extend_from_slice(trim_end(trim_start(&raws[at].text)));
        }
        if whole_text(&text) != Some(true) || !has_known_columns(&text) {
            continue;
        }
        match &mut proofs {
            None => {
                let glues = (first..).zip(glues);
                proofs = Some(glues.map(|(at, glue)| Proof { at, glue, either: false }).collect());
            }
            Some(proofs) => {
                proofs.iter_mut().zip(&glues).for_each(|(proof, glue)| proof.either |= proof.glue != *glue);
            }
        }
    }
    proofs
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
    Some(if width.hard {
        vec![b' '; width.columns - columns]
    } else if above.text.ends_with(b" ") || is_within(&above.text, trim_start(&raw.text)) {
        Vec::new()
    } else {
        b" ".to_vec()
    })
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
    // Broken before the words that make it one, or among them.
    if above.anchor.is_none() && (contains(tail(&above.text, 64), b"ut of memory: Kill") || is_parted(above, raw)) {
        return Some(true);
    }
    match (above.anchor.map(|anchor| anchor.kind), whole_text(&above.text)) {
        // The rest of a name or a path cannot be told from other text.
        (Some(Kind::Row | Kind::TaskIn | Kind::LimitReached | Kind::GroupTail), None) => Some(false),
        (_, whole) => whole.map(|whole| !whole),
    }
}

/// Whether the words with which a line of a report begins stand in two pieces.
fn is_parted(above: &Raw<'_>, raw: &Raw<'_>) -> bool {
    let text = trim_end(&above.text);
    if text.len() > 256 || invoked(text).is_some() {
        return false;
    }
    let begins = |at: usize| at < text.len();
    let tells = |joined: &[u8]| {
        anchor(joined).is_some_and(|anchor| begins(anchor.start())) || invoked(joined).is_some_and(begins)
    };
    let mut joined = [text, b" ", head(trim_start(&raw.text), 64)].concat();
    tells(&joined) || {
        joined.remove(text.len());
        tells(&joined)
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

/// Joins what was proved to be one line, without the blanks that the wrap has left on either side.
fn prove<'a>(above: &mut Raw<'a>, raw: &Raw<'a>, proof: &Proof) {
    let end = trim_end(&above.text).len();
    above.text.to_mut().truncate(end);
    join(above, trim_start(&raw.text), raw, proof.glue);
}

fn join<'a>(above: &mut Raw<'a>, rest: &[u8], raw: &Raw<'a>, glue: &[u8]) {
    let text = above.text.to_mut();
    text.extend_from_slice(glue);
    text.extend_from_slice(rest);
    above.ends_at(raw);
    above.anchor = anchor(&above.text);
}
