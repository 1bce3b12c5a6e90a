//! Whether a line of a report has all that its kind has.

use super::anchor::anchor;
use super::kill;
use super::lines::{invoked, Kind};
use super::parse;
use super::pieces::ends_with_old_adj;
use super::scan::{contains, head, rfind, trim_end};
use super::{table, Reaped};

/// Whether a line, if it is the header of a table, has the columns of some kernel and no halves of them.
pub(super) fn has_known_columns(text: &[u8]) -> bool {
    let header = anchor(text).filter(|anchor| anchor.kind == Kind::TableHeader);
    header.is_none_or(|header| table::is_known_header(&text[header.start()..]))
}

/// Whether a blank stands before each of these words that is there.
fn apart(line: &[u8], words: &[&[u8]]) -> bool {
    words.iter().all(|word| rfind(line, word).is_none_or(|at| at > 0 && line[at - 1] == b' '))
}

/// Whether no blank stands between these words and what follows them: a kernel prints none.
fn tight(line: &[u8], words: &[&[u8]]) -> bool {
    words.iter().all(|word| rfind(line, word).is_none_or(|at| line.get(at + word.len()) != Some(&b' ')))
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
        // The kernel of OpenVZ prints other sizes.
        Kind::Killed if line.starts_with(b"Out of memory in UB") => {
            Some(contains(line, b" swap:") && line.ends_with(b"kB"))
        }
        Kind::Killed => {
            let killed = kill::killed(line)?;
            // Only kernels of which the line has no heading end it before shmem-rss.
            let kill = &killed.kill;
            let sizes = (kill.shmem_rss_bytes.is_some() || killed.scope.is_none())
                && (kill.anon_rss_bytes.is_some() && kill.file_rss_bytes.is_some() || kill.total_vm_bytes.is_none());
            const KEYS: [&[u8]; 7] =
                [b"total-vm:", b"anon-rss:", b"file-rss:", b"shmem-rss:", b"UID:", b"pgtables:", b"oom_score_adj:"];
            Some(ended && sizes && killed.unread.is_empty() && apart(line, &KEYS) && tight(line, &KEYS))
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
        Kind::Reaper => {
            let whole =
                |reaped: Reaped| !reaped.reaped || reaped.file_rss_bytes.is_some() && reaped.shmem_rss_bytes.is_some();
            Some(kill::reaper(line).is_some_and(whole) && apart(line, &[b"now anon-rss:", b"file-rss:", b"shmem-rss:"]))
        }
        Kind::TableHeader => Some(ended && !contains(line, b" _")),
        Kind::Protection => Some(ended),
        _ => None,
    }
}
