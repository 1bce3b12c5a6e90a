//! The bytes of a tracepoint's record to its values: where each field stands says the event's own `format` file.

use super::values::Values;

/// What one event's record has, by the names under which the event prints it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout {
    /// The event's number, which each of its records begins with.
    pub(super) id: u64,
    fields: Vec<Field>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Field {
    printed: String,
    offset: usize,
    size: usize,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Signed,
    Unsigned,
    /// Bytes up to the first NUL.
    Text,
    /// Offset and length of a text in the record, as two halves of a number.
    Elsewhere,
}

impl Layout {
    /// From the event's `format` file; `None` when it lacks one of the fields that are `needed`.
    pub(super) fn from_format(format: &[u8], needed: &[&str]) -> Option<Layout> {
        let text = std::str::from_utf8(format).ok()?;
        let id = text.lines().find_map(|line| line.strip_prefix("ID: "))?.trim().parse().ok()?;
        let printed = text.lines().find_map(printed)?;
        let mut fields: Vec<Field> = Vec::new();
        for line in text.lines() {
            let Some((name, offset, size, kind)) = field(line) else { continue };
            // A value that is printed otherwise than as it stands in the record is left out.
            if let Some((printed, _)) = printed.iter().find(|(_, of)| *of == name) {
                fields.push(Field { printed: printed.clone(), offset, size, kind });
            }
        }
        needed.iter().all(|name| fields.iter().any(|field| field.printed == *name)).then_some(Layout { id, fields })
    }

    /// The values of a record.
    pub(super) fn of<'a>(&'a self, record: &'a [u8]) -> Laid<'a> {
        Laid { fields: &self.fields, record }
    }
}

/// The bytes of one record, and where its values stand in them.
pub(super) struct Laid<'a> {
    fields: &'a [Field],
    record: &'a [u8],
}

impl Laid<'_> {
    fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.printed == name)
    }

    fn bytes(&self, field: &Field) -> Option<&[u8]> {
        self.record.get(field.offset..field.offset + field.size)
    }
}

impl Values for Laid<'_> {
    fn integer(&self, name: &str) -> Option<i128> {
        let field = self.field(name)?;
        let bytes = self.bytes(field)?;
        let unsigned =
            bytes.iter().rev().try_fold(0u128, |value, byte| value.checked_mul(256)?.checked_add((*byte).into()))?;
        let bits = field.size as u32 * 8;
        let negative = field.kind == Kind::Signed && unsigned >> (bits - 1) & 1 == 1;
        Some(i128::try_from(unsigned).ok()? - if negative { 1i128 << bits } else { 0 })
    }

    fn text(&self, name: &str) -> Option<Vec<u8>> {
        let field = self.field(name)?;
        let bytes = match field.kind {
            Kind::Text => self.bytes(field)?,
            Kind::Elsewhere => {
                let place: u32 = self.number(name)?;
                let (offset, length) = ((place & 0xffff) as usize, (place >> 16) as usize);
                self.record.get(offset..offset + length)?
            }
            Kind::Signed | Kind::Unsigned => return None,
        };
        bytes.split(|&byte| byte == 0).next().map(<[u8]>::to_vec)
    }
}

/// `field:int pid; offset:8; size:4; signed:1;` as name, offset, size and kind.
fn field(line: &str) -> Option<(&str, usize, usize, Kind)> {
    let mut parts = line.trim().strip_prefix("field:")?.split(';');
    let declaration = parts.next()?;
    let mut value = |name: &str| parts.next()?.trim().strip_prefix(name)?.parse::<usize>().ok();
    let (offset, size, signed) = (value("offset:")?, value("size:")?, value("signed:"));
    let name = declaration.rsplit(' ').next()?;
    let (name, is_array) = match name.split_once('[') {
        Some((name, _)) => (name, true),
        None => (name, declaration.contains('[')),
    };
    let kind = match (declaration.starts_with("__data_loc "), is_array, signed) {
        (true, ..) => Kind::Elsewhere,
        (_, true, _) => Kind::Text,
        (.., Some(1)) => Kind::Signed,
        _ => Kind::Unsigned,
    };
    (kind == Kind::Text || (1..=8).contains(&size)).then_some((name, offset, size, kind))
}

/// The names before the values in a `print fmt`, each with the field that it prints.
fn printed(line: &str) -> Option<Vec<(String, &str)>> {
    let (format, values) = line.strip_prefix("print fmt: \"")?.rsplit_once("\", ")?;
    let names = format.split('%').map(|before| {
        let key = before.trim_end_matches(['=', ':']);
        key.rsplit([' ', ',']).next().unwrap_or_default().to_string()
    });
    let fields = values.split(',').map(|value| {
        let value = value.trim();
        let named = value.strip_prefix("__get_str(").and_then(|rest| rest.strip_suffix(')'));
        named.or_else(|| value.strip_prefix("REC->")).unwrap_or_default()
    });
    Some(names.zip(fields).collect())
}

#[cfg(test)]
mod tests {
    use super::super::values::{Context, NAMELESS};
    use super::*;

    const VICTIM: &[u8] = include_bytes!("../../../../tests/logs/mark_victim-6.18.format");
    const GENERATE: &[u8] = include_bytes!("../../../../tests/logs/signal_generate-6.18.format");
    const DELIVER: &[u8] = include_bytes!("../../../../tests/logs/signal_deliver-6.18.format");
    const CONTEXT: Context<'_> = Context { thread: 77, process: Some(70), comm: NAMELESS, time_ns: 5, cpu: 1 };

    #[test]
    fn a_victim_has_every_field_of_its_event() {
        let layout = Layout::from_format(VICTIM, &["pid"]).expect("a layout");
        let mut record = vec![0; 96];
        let mut put = |at: usize, bytes: &[u8]| record[at..at + bytes.len()].copy_from_slice(bytes);
        put(8, &78i32.to_le_bytes());
        put(12, &(72u32 | 6 << 16).to_le_bytes());
        for (at, value) in [(16, 9u64), (24, 8), (32, 7), (40, 6), (56, 4)] {
            put(at, &value.to_le_bytes());
        }
        put(48, &5u32.to_le_bytes());
        put(64, &(-3i16).to_le_bytes());
        put(72, b"t\xff=a\0\0");
        let victim = layout.of(&record).victim(&CONTEXT).expect("a victim");
        assert_eq!((victim.pid, victim.invoker_pid, victim.time_ns, victim.cpu), (78, 77, 5, 1));
        assert_eq!((victim.comm.as_deref(), victim.invoker_comm.as_slice()), (Some(&b"t\xff=a"[..]), &b"<...>"[..]));
        assert_eq!((victim.total_vm_bytes, victim.anon_rss_bytes), (Some(9 << 10), Some(8 << 10)));
        assert_eq!((victim.file_rss_bytes, victim.shmem_rss_bytes), (Some(7 << 10), Some(6 << 10)));
        assert_eq!((victim.uid, victim.pgtables_bytes, victim.oom_score_adj), (Some(5), Some(4 << 10), Some(-3)));
        let own = layout.of(&record).victim(&Context { thread: 78, ..CONTEXT }).expect("a victim");
        assert_eq!(own.invoker_comm, b"t\xff=a");
        for length in 0..record.len() {
            layout.of(&record[..length]).victim(&CONTEXT);
        }
    }

    #[test]
    fn an_old_kernel_gives_the_pid_alone() {
        let format = b"name: mark_victim\nID: 500\nformat:\n\tfield:int pid;\toffset:8;\tsize:4;\tsigned:1;\n\n\
            print fmt: \"pid=%d\", REC->pid\n";
        let layout = Layout::from_format(format, &["pid"]).expect("a layout");
        let record = [[0; 8].as_slice(), &9i32.to_le_bytes()].concat();
        let victim = layout.of(&record).victim(&CONTEXT).expect("a victim");
        assert_eq!((layout.id, victim.pid, victim.comm, victim.uid, victim.anon_rss_bytes), (500, 9, None, None, None));
        assert_eq!(Layout::from_format(format, &["comm"]), None);
        assert_eq!(Layout::from_format(b"", &[]), None);
    }

    #[test]
    fn signals_are_told_with_sender_and_target() {
        let layout = Layout::from_format(GENERATE, &["sig", "code", "comm", "pid", "grp"]).expect("a layout");
        let mut record = vec![0; 48];
        for (at, value) in [(8, 9i32), (16, -6), (36, 4242), (40, 1)] {
            record[at..at + 4].copy_from_slice(&value.to_le_bytes());
        }
        record[20..23].copy_from_slice(b"hog");
        let signal = layout.of(&record).signal(&CONTEXT).expect("a signal");
        assert_eq!((signal.signal, signal.code, signal.target, signal.sender), (9, -6, 4242, 77));
        assert!(signal.whole_process && signal.target_comm == b"hog" && signal.sender_comm.is_none());
        let layout = Layout::from_format(DELIVER, &["sig", "code"]).expect("a layout");
        let delivered = layout.of(&record).delivered(&CONTEXT).expect("a delivery");
        assert_eq!((delivered.signal, delivered.code, delivered.thread), (9, -6, 77));
    }

    #[test]
    fn a_value_that_is_printed_otherwise_is_left_out() {
        let format = b"ID: 1\n\tfield:int pid;\toffset:8;\tsize:4;\tsigned:1;\n\
            \tfield:unsigned long pgtables;\toffset:16;\tsize:8;\tsigned:0;\n\
            print fmt: \"pid=%d pgtables=%lukB\", REC->pid, REC->pgtables >> 10\n";
        let layout = Layout::from_format(format, &["pid"]).expect("a layout");
        let record = vec![1; 24];
        assert_eq!(layout.of(&record).victim(&CONTEXT).expect("a victim").pgtables_bytes, None);
    }
}
