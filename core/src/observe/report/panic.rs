//! What the kernel says where it panics instead of killing (vm.panic_on_oom).

use super::scan::{contains, head, trim_start};
use super::Scope;

/// `Kernel panic - not syncing: Out of memory: compulsory panic_on_oom is enabled`, and whose memory it says was out: of a group
/// the kernel panics where the setting is compulsory alone. Until 2.6.36 the words are others, and those about a group name it.
pub(super) fn read(line: &[u8]) -> Option<Option<Scope>> {
    let words = head(trim_start(line), 160).strip_prefix(b"Kernel panic - not syncing: ")?;
    let rest = words.strip_prefix(b"Out of memory").or_else(|| words.strip_prefix(b"out of memory"))?;
    contains(rest, b"panic_on_oom").then_some(())?;
    Some(match rest.first() {
        Some(b'(') => Some(Scope::Memcg),
        _ if words[0] == b'o' || contains(rest, b"system-wide") => Some(Scope::Global),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whose_memory_a_panic_tells() {
        let seen = |words: &str| read(format!(" Kernel panic - not syncing: {words}").as_bytes());
        let (machine, group) = (Some(Some(Scope::Global)), Some(Some(Scope::Memcg)));
        assert_eq!(seen("Out of memory: system-wide panic_on_oom is enabled"), machine);
        assert_eq!(seen("Out of memory: compulsory panic_on_oom is enabled"), Some(None));
        assert_eq!(seen("out of memory. panic_on_oom is selected"), machine);
        assert_eq!(seen("out of memory. Compulsory panic_on_oom is selected."), machine);
        assert_eq!(seen("out of memory from page fault. panic_on_oom is selected."), machine);
        assert_eq!(seen("out of memory(memcg). panic_on_oom is selected."), group);
        assert_eq!(seen("Out of memory and no killable processes..."), None);
        assert_eq!(read(b"---[ end Kernel panic - not syncing: Out of memory: panic_on_oom"), None);
    }
}
