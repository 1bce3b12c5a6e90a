//! UTF-16 as it streams: what is fed in pieces comes out as text, whatever lies across the edge of two pieces.

use std::borrow::Cow;

/// So much is kept until it is clear what the log is written in.
const SAMPLE: usize = 256;

/// How a log is written.
#[derive(Debug)]
pub(super) enum Form {
    /// Not known yet: what has come so far.
    Open(Vec<u8>),
    /// Bytes as they are.
    Bytes,
    /// Two bytes a unit.
    Wide(Wide),
}

/// UTF-16 of either end, with what the last piece left over.
#[derive(Debug)]
pub(super) struct Wide {
    little: bool,
    /// Half a unit, or the first unit of two that make one character.
    rest: Vec<u8>,
}

impl Default for Form {
    fn default() -> Form {
        Form::Open(Vec::new())
    }
}

impl Form {
    /// The text of a piece; nothing while it is not clear yet what it is.
    pub(super) fn text<'a>(&mut self, piece: &'a [u8]) -> Cow<'a, [u8]> {
        match self {
            Form::Bytes => Cow::Borrowed(piece),
            Form::Wide(wide) => Cow::Owned(wide.text(piece)),
            Form::Open(begin) => {
                begin.extend_from_slice(piece);
                match begin.len() < SAMPLE {
                    true => Cow::Owned(Vec::new()),
                    false => Cow::Owned(self.decide()),
                }
            }
        }
    }

    /// What is held while it is not clear.
    pub(super) fn held(&self) -> &[u8] {
        match self {
            Form::Open(begin) => begin,
            _ => &[],
        }
    }

    /// Decides by what there is; gives its text.
    pub(super) fn decide(&mut self) -> Vec<u8> {
        let Form::Open(begin) = self else { return Vec::new() };
        if begin.is_empty() {
            return Vec::new();
        }
        let begin = std::mem::take(begin);
        match end_of(&begin) {
            Some((little, mark)) => {
                let mut wide = Wide::new(little);
                let text = wide.text(&begin[mark..]);
                *self = Form::Wide(wide);
                text
            }
            None => {
                *self = Form::Bytes;
                begin
            }
        }
    }

    /// The log ends here: what is left of it.
    pub(super) fn last(&mut self) -> Vec<u8> {
        let mut text = self.decide();
        if let Form::Wide(wide) = self {
            text.extend(wide.last());
        }
        text
    }
}

impl Wide {
    pub(super) fn new(little: bool) -> Wide {
        Wide { little, rest: Vec::new() }
    }

    pub(super) fn text(&mut self, piece: &[u8]) -> Vec<u8> {
        let bytes = [&self.rest, piece].concat();
        let mut whole = bytes.len() / 2 * 2;
        if whole > 0 && (0xd800..0xdc00).contains(&self.unit([bytes[whole - 2], bytes[whole - 1]])) {
            whole -= 2;
        }
        self.rest = bytes[whole..].to_vec();
        self.decode(&bytes[..whole])
    }

    /// What is left at the end: a character of two units that has only one.
    pub(super) fn last(&mut self) -> Vec<u8> {
        let rest = std::mem::take(&mut self.rest);
        self.decode(&rest)
    }

    fn unit(&self, pair: [u8; 2]) -> u16 {
        match self.little {
            true => u16::from_le_bytes(pair),
            false => u16::from_be_bytes(pair),
        }
    }

    fn decode(&self, bytes: &[u8]) -> Vec<u8> {
        let units = bytes.chunks_exact(2).map(|pair| self.unit([pair[0], pair[1]]));
        let text: String = char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
        text.into_bytes()
    }
}

/// Whether a text is UTF-16, of the little end or not, and how long the mark is with which it begins.
pub(super) fn end_of(text: &[u8]) -> Option<(bool, usize)> {
    let (little, mark) = match text {
        [0xff, 0xfe, ..] => (true, 2),
        [0xfe, 0xff, ..] => (false, 2),
        _ => (unmarked(text)?, 0),
    };
    // Text that merely begins with these bytes has no NULs.
    text[mark..].contains(&0).then_some((little, mark))
}

/// Whether text without a mark is of little end: every other byte is a NUL.
fn unmarked(text: &[u8]) -> Option<bool> {
    let sample = &text[..text.len().min(SAMPLE)];
    let nuls = |from: usize| sample.iter().skip(from).step_by(2).filter(|&&byte| byte == 0).count();
    let (even, odd) = (nuls(0), nuls(1));
    let most = sample.len() / 2;
    (most >= 16 && (even == 0 || odd == 0) && even.max(odd) * 10 > most * 9).then_some(odd > even)
}
