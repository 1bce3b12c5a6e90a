//! Rows of a table that a search page exports (CSV): the log stands in one column, and other columns stand behind it.

use super::anchor::anchor;
use super::clock::date;
use super::json::Entry;
use super::lines::invoked;
use super::scan::{contains, head};

/// A row has no more columns.
const COLUMNS: usize = 128;

/// The column of a table in which the log stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Column {
    at: usize,
    of: usize,
}

/// The message of a row, and its column: the known one, or the only one that holds a line of a report. Where that is the last
/// one, what stands before it is a prefix as any other, and nothing is taken off here.
pub(super) fn message(line: &[u8], known: Option<Column>) -> Option<(Entry, Column)> {
    if !(contains(line, b"\",") || contains(line, b"\";") || contains(line, b"\"\t")) {
        return None;
    }
    let cells = [b',', b';', b'\t'].into_iter().find_map(|mark| cells(line, mark))?;
    let column = match known {
        Some(column) if column.of == cells.len() => column,
        _ => {
            let tells = |cell: &Vec<u8>| anchor(cell).is_some() || invoked(head(cell, 256)).is_some();
            let at = cells.iter().position(tells)?;
            if at + 1 == cells.len() || cells[at + 1..].iter().any(tells) {
                return None;
            }
            Column { at, of: cells.len() }
        }
    };
    let wall = cells.iter().enumerate().filter(|(at, _)| *at != column.at).find_map(|(_, cell)| {
        date(cell).filter(|(wall, rest)| rest.is_empty() && wall.len() >= 8).and(std::str::from_utf8(cell).ok())
    });
    let wall = wall.map(str::to_string);
    let text = cells.into_iter().nth(column.at)?;
    Some((Entry { text, usec: None, wall, host: None }, column))
}

/// The cells of a row, if it is one in which some are quoted and every quotation mark is where it belongs.
fn cells(line: &[u8], mark: u8) -> Option<Vec<Vec<u8>>> {
    let (mut cells, mut rest, mut quoted) = (Vec::new(), line, false);
    loop {
        let (cell, after) = match rest.strip_prefix(b"\"") {
            Some(inside) => {
                quoted = true;
                unquoted(inside)?
            }
            None => {
                let end = rest.iter().position(|&byte| byte == mark).unwrap_or(rest.len());
                if rest[..end].contains(&b'"') {
                    return None;
                }
                (rest[..end].to_vec(), &rest[end..])
            }
        };
        cells.push(cell);
        match after.split_first() {
            None => break,
            Some((&byte, after)) if byte == mark && cells.len() < COLUMNS => rest = after,
            Some(_) => return None,
        }
    }
    (quoted && cells.len() > 1).then_some(cells)
}

/// The text up to the quotation mark that ends it, with doubled ones as one, and what follows.
fn unquoted(mut inside: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut cell = Vec::new();
    loop {
        let end = inside.iter().position(|&byte| byte == b'"')?;
        cell.extend_from_slice(&inside[..end]);
        inside = &inside[end + 1..];
        match inside.strip_prefix(b"\"") {
            Some(rest) => {
                cell.push(b'"');
                inside = rest;
            }
            None => return Some((cell, inside)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_behind_the_log() {
        let row = "\"2026-11-23T01:00:00Z\",\"say \"\"a\"\" invoked oom-killer: gfp_mask=0x1, order=0\",node-3";
        let (entry, column) = message(row.as_bytes(), None).unwrap();
        assert_eq!(entry.text, b"say \"a\" invoked oom-killer: gfp_mask=0x1, order=0");
        assert_eq!((entry.wall.as_deref(), column), (Some("2026-11-23T01:00:00Z"), Column { at: 1, of: 3 }));
        let frame = b"\"2026-11-23T01:00:01Z\",\" dump_stack+0x1/0x2\",node-3";
        assert!(message(frame, None).is_none(), "nothing tells the column yet");
        assert_eq!(message(frame, Some(column)).unwrap().0.text, b" dump_stack+0x1/0x2");
        for row in
            ["a,\"x invoked oom-killer: gfp_mask=0x1\"", "said \"x\", then", "\"a\",\"b", "{\"a\":\"b\",\"c\":\"d\"}"]
        {
            assert!(message(row.as_bytes(), None).is_none(), "{row}");
        }
    }
}
