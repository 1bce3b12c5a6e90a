//! Limits below any start: under what limit a program was seen to come to its own code.

/// The smallest limits, in KiB, under which the command in its shortest form (`-c pass`, `-e 0`, ...) ended well on Linux
/// 6.18 with pages of 4 KiB and a warm page cache, by the start of the name. What is not in the list is taken for a small
/// program in machine code (`cat`, `dd`).
const SEEN_TO_START: [(&str, u64); 6] =
    [("python", 7232), ("node", 7104), ("java", 16_512), ("perl", 576), ("bash", 384), ("", 256)];

/// The smallest limit under which a program of that name was seen to start; `None` where it was not looked at: with other
/// pages.
pub(crate) fn seen_to_start(comm: &[u8], page_bytes: u64) -> Option<u64> {
    let of = |(name, kib): &(&str, u64)| comm.starts_with(name.as_bytes()).then_some(kib << 10);
    SEEN_TO_START.iter().find_map(of).filter(|_| page_bytes == 4096)
}

/// Whether a program of that name is what a script of the same name runs at last, as `python3` that is a script of the shell's:
/// nothing but a version stands behind the name.
pub(crate) fn is_program(comm: &[u8]) -> bool {
    let rest = |name: &str| comm.strip_prefix(name.as_bytes());
    let named = SEEN_TO_START.iter().filter(|(name, _)| !name.is_empty()).find_map(|(name, _)| rest(name));
    named.is_some_and(|rest| rest.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.'))
}

/// The same for a victim that had not come to its own code: a limit that is smaller, and no more taken than a start takes.
pub(crate) fn below_start(comm: &[u8], held_bytes: u64, limit_bytes: u64, page_bytes: u64) -> Option<u64> {
    seen_to_start(comm, page_bytes).filter(|least| limit_bytes < *least && held_bytes < *least)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_held_against_what_a_program_needs() {
        assert_eq!(below_start(b"python3.12", 3 << 20, 4 << 20, 4096), Some(7232 << 10));
        assert_eq!(below_start(b"python3", 3 << 20, 8 << 20, 4096), None);
        // It had taken more before the limit was lowered.
        assert_eq!(below_start(b"python3", 30 << 20, 4 << 20, 4096), None);
        assert_eq!(below_start(b"dd", 0, 200 << 10, 4096), Some(256 << 10));
        assert_eq!(below_start(b"dd", 0, 200 << 10, 65536), None);
        assert!([&b"python3.12"[..], b"python", b"node"].into_iter().all(is_program));
        assert!(![&b"python-build"[..], b"nodes", b"dd"].into_iter().any(is_program));
    }
}
