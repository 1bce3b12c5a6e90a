//! How an OOM is brought about at once.

use crate::error::{Error, ErrorKind, Result};
use std::fmt;
use std::str::FromStr;

/// How an OOM is brought about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Way {
    /// A hog in the group grows until the limit is met. The limit stays.
    Inside,
    /// Page cache is given back, the limit is lowered to the usage, and a small worker in the group takes a little more.
    Squeeze,
    /// `memory.max` is written below the usage, and the kernel kills in that write (v2). The kernel may then kill more
    /// than one, as it goes on until the usage is below; `oom` of `memory.events` rises by thousands.
    Write,
    /// As `Write`, but with `O_NONBLOCK`: the kernel sets the limit alone, and the next charge meets it (v2, from 6.17~).
    Nonblock,
    /// As `Squeeze`, with the limit of the group above.
    Ancestor,
    /// A hog in another group grows until the limit of the group above both is met.
    Neighbour,
}

impl Way {
    /// The way as users write it.
    pub fn name(self) -> &'static str {
        match self {
            Way::Inside => "inside",
            Way::Squeeze => "squeeze",
            Way::Write => "write",
            Way::Nonblock => "nonblock",
            Way::Ancestor => "ancestor",
            Way::Neighbour => "neighbour",
        }
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Way {
    type Err = Error;

    fn from_str(text: &str) -> Result<Way> {
        let ways = [Way::Inside, Way::Squeeze, Way::Write, Way::Nonblock, Way::Ancestor, Way::Neighbour];
        ways.into_iter().find(|way| way.name() == text).ok_or_else(|| {
            Error::new(ErrorKind::InvalidInput, "read way", "the way is unknown")
                .value(text)
                .remedy("use inside, squeeze, write, nonblock, ancestor or neighbour")
        })
    }
}
