//! Where a log was cut off at the right: by a window, a pager, a column of a table.

use std::borrow::Cow;

use super::lines::Kind;
use super::raw::Raw;
use super::source::Line;
use super::whole::whole_text;

/// No window is narrower.
const NARROWEST: usize = 60;

/// The width of a log whose longest lines end there, and one of them in the middle of what it says.
pub(super) fn edge(raws: &[Raw<'_>]) -> Option<usize> {
    let longest = raws.iter().filter(|raw| !raw.contained).map(|raw| raw.columns()).max()?;
    let broken = |raw: &Raw<'_>| raw.columns() == longest && whole_text(&raw.text) == Some(false);
    (longest >= NARROWEST && raws.iter().any(broken)).then_some(longest)
}

/// Says of a line whether it was cut, and takes the mark off with which pagers say so.
pub(super) fn mark(line: &mut Line<'_>, raw: &Raw<'_>, edge: Option<usize>) {
    const ELLIPSIS: &[u8] = "…".as_bytes();
    if line.record || raw.contained {
        return;
    }
    let at_edge = edge.is_some_and(|edge| raw.columns() == edge);
    let text: &[u8] = &line.text;
    let shorter = text.strip_suffix(ELLIPSIS).or_else(|| {
        let told = || at_edge || whole_text(text) == Some(false);
        text.strip_suffix(b"...").filter(|_| told()).or_else(|| text.strip_suffix(b">").filter(|_| at_edge))
    });
    let shorter = shorter.map(<[u8]>::len);
    if let Some(length) = shorter {
        line.text = match std::mem::take(&mut line.text) {
            Cow::Borrowed(text) => Cow::Borrowed(&text[..length]),
            Cow::Owned(text) => Cow::Owned(text[..length].to_vec()),
        };
    }
    line.cut = (at_edge || shorter.is_some()) && whole_text(&line.text) != Some(true);
}

/// Whether a line of this kind ends in a name or a number, which may then be longer than it looks.
pub(super) fn ends_in_name(kind: Kind) -> bool {
    matches!(kind, Kind::Row | Kind::TaskIn | Kind::LimitReached | Kind::StatHeader | Kind::Cpuset | Kind::GroupTail)
}

#[cfg(test)]
mod tests {
    use super::super::parse_reports;

    fn missing(log: &str) -> Vec<(String, String)> {
        let report = parse_reports(log.as_bytes()).remove(0);
        report.missing.iter().map(|missing| (missing.source.to_string(), missing.reason.to_string())).collect()
    }

    #[test]
    fn names_at_the_edge_are_said_to_be_cut() {
        let cut = |log: &str| {
            missing(log)
                .into_iter()
                .filter(|(_, reason)| reason.contains("cut"))
                .map(|(source, _)| source)
                .collect::<Vec<_>>()
        };
        let log = "[   82.522782] Task in /docker/25aaaaaaaa killed as a result of limit of /docker/25\n\
                   [   82.522783] memory: usage 1kB, limit 1kB, failcnt 5\n\
                   [   82.528351] Memory cgroup out of memory: Killed process 5646 (hog) total-vm:6329\n";
        assert_eq!(cut(log), ["oom_memcg", "kills"]);
        assert_eq!(cut(&log.replace("vm:6329", "vm:632")), ["kills"], "nothing shows that the first line is cut");
        let marked = "[    1.000000] Task in /a killed as a result of limit of /docker/25…\n";
        assert_eq!(cut(marked), ["oom_memcg"]);
    }
}
