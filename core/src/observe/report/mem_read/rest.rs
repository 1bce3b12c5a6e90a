//! Lines about a node or a zone that a mail program broke at a blank.

use super::super::scan::{digits, number, split, word};
use super::{named, ZONES};

/// Whether a line can be the rest of another: sizes, free blocks or huge pages, and nothing else. A line of the overview has no
/// unit, and one of its own begins with the name of its node or zone.
pub(super) fn is_rest(open: &[u8], line: &[u8]) -> bool {
    let first = word(line).0;
    let own = ZONES.contains(&first.strip_suffix(b":").unwrap_or(first));
    if own || open.starts_with(b"lowmem_reserve[]:") || is_whole(open) {
        return false;
    }
    if open.ends_with(b"all_unreclaimable?") {
        return matches!(line, b"yes" | b"no");
    }
    let (mut any, mut named) = (false, open.ends_with(b":") || open.ends_with(b" ="));
    for word in line.split(|&byte| byte == b' ').filter(|word| !word.is_empty()) {
        let size = number(word).is_some_and(|(_, unit)| matches!(unit, b"kB" | b"KB"));
        let sized = sized(word);
        let known = match word {
            b"=" | b"all_unreclaimable?" => true,
            b"yes" | b"no" => any,
            [b'(', .., b')'] => word.len() < 12,
            _ => {
                sized == Some(true) || sized == Some(false) || is_block(word) || size && (named || any) || is_huge(word)
            }
        };
        if !known {
            return false;
        }
        named = sized == Some(false);
        any |= sized == Some(true) || size || is_block(word) || is_huge(word) || word == b"all_unreclaimable?";
    }
    any
}

/// Whether the line has its last words.
fn is_whole(open: &[u8]) -> bool {
    let end = open.rsplit(|&byte| byte == b' ').next().unwrap_or(open);
    let summed = open.len() > end.len() + 2 && open[..open.len() - end.len()].ends_with(b"= ");
    summed
        || end.starts_with(b"hugepages_size=")
        || open.windows(18).any(|words| words == b"all_unreclaimable?") && { matches!(end, b"yes" | b"no") }
}

/// `free_pcp:16kB`; `Some(false)`: a name before its size.
fn sized(word: &[u8]) -> Option<bool> {
    let (_, value) = split(word, b":").filter(|(name, _)| named(name))?;
    match number(value) {
        Some((_, b"kB" | b"KB")) => Some(true),
        None if value.is_empty() => Some(false),
        _ => None,
    }
}

/// `2*4kB`
fn is_block(word: &[u8]) -> bool {
    number(word).and_then(|(_, rest)| number(rest.strip_prefix(b"*")?)).is_some_and(|(_, unit)| unit == b"kB")
}

/// `hugepages_surp=0`
fn is_huge(word: &[u8]) -> bool {
    word.starts_with(b"hugepages_") && split(word, b"=").is_some_and(|(_, value)| digits(value) > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rests_and_lines_of_their_own() {
        let zone = b"Node 0 Normal free:8kB min:4kB low:5kB";
        for line in
            ["high:6kB present:9kB managed:8kB", "shmem_thp: 0kB anon_thp: 0kB", "all_unreclaimable? yes", "bounce:0kB"]
        {
            assert!(is_rest(zone, line.as_bytes()), "{line}");
        }
        for line in [
            "slab_reclaimable:4 mapped:5",
            "Free swap  = 0kB",
            "DMA: 1*4kB = 4kB",
            "12 pages RAM",
            "0kB",
            "",
            "a b:1kB",
        ] {
            assert!(!is_rest(zone, line.as_bytes()), "{line}");
        }
        assert!(is_rest(b"Node 0 DMA: 1*4kB (U) 2*8kB", b"(UM) 0*16kB = 20kB"));
        assert!(is_rest(b"Node 0 DMA: 1*4kB (U) =", b"4kB"));
        assert!(!is_rest(b"Node 0 DMA: 1*4kB (U) = 4kB", b"2*8kB = 16kB"));
        assert!(is_rest(b"Node 0 a:1kB shmem_thp:", b"0kB all_unreclaimable? no"));
        assert!(is_rest(b"Node 0 a:1kB all_unreclaimable?", b"no"));
        assert!(!is_rest(b"Node 0 a:1kB all_unreclaimable? no", b"b:1kB"));
        assert!(is_rest(b"Node 0 hugepages_total=1 hugepages_free=1", b"hugepages_surp=0 hugepages_size=2048kB"));
    }
}
