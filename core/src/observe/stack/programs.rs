//! The programs that a process has mapped: what its addresses are called, and the tables that lead to its callers.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::lines::{Lines, Named};
use super::unwind::{Known, Tables};
use super::{mapped, place, Area, Found, Stack, UserFrame, MOST_FRAMES};
use crate::observe::elf::Elf;

/// The files that the process has mapped, each opened once.
pub(super) struct Programs<'a> {
    pid: i32,
    areas: &'a [Area],
    open: BTreeMap<Vec<u8>, Option<Program>>,
}

/// A program's file, and what was read of it so far.
pub(super) struct Program {
    elf: Elf,
    tables: Option<Option<Tables>>,
}

impl Program {
    /// What stands at some addresses: more than one where functions were put into each other, the innermost first.
    fn names(&self, addresses: &[u64]) -> BTreeMap<u64, Vec<Named>> {
        let by_symbol = self.elf.functions(addresses).into_iter();
        let named = |name: Vec<u8>| {
            let shown = addr2line::demangle_auto(String::from_utf8_lossy(&name), None);
            vec![Named { function: Some(shown.as_bytes().to_vec()), ..Named::default() }]
        };
        let found = by_symbol.map(|(at, name)| (at, named(name))).collect();
        self.with_lines(addresses, found)
    }

    /// The same with what debug information says instead, where there is some.
    fn with_lines(&self, addresses: &[u64], mut found: BTreeMap<u64, Vec<Named>>) -> BTreeMap<u64, Vec<Named>> {
        for (at, mut named) in Lines::of(&self.elf).map(|lines| lines.at(addresses)).unwrap_or_default() {
            // Of what was written by hand it tells the line, and no function.
            if let Some(last) = named.last_mut().filter(|last| last.function.is_none()) {
                last.function = found.get(&at).and_then(|by_symbol| by_symbol[0].function.clone());
            }
            found.insert(at, named);
        }
        found
    }
}

impl<'a> Programs<'a> {
    pub(super) fn of(pid: i32, areas: &'a [Area]) -> Programs<'a> {
        Programs { pid, areas, open: BTreeMap::new() }
    }

    /// The instruction and its callers, as far as the tables lead, and the stack pointer there; `None` where that is where the
    /// thread began.
    pub(super) fn up(&mut self, stack: &Stack<'_>, pc: u64) -> (Vec<Found>, Option<u64>) {
        let mut known = Known::of(stack.start);
        let mut found = vec![(pc, "register")];
        let mut sp = stack.start;
        while found.len() < MOST_FRAMES {
            // A return address may stand behind the end of its function.
            let at = found[found.len() - 1].0.saturating_sub(u64::from(found.len() > 1));
            let caller = self.tables(at).and_then(|(tables, address)| tables.caller(address, &known, stack));
            let Some((next, caller)) = caller else { return (found, Some(sp)) };
            let Some(address) = next else { return (found, None) };
            let above = caller.sp().unwrap_or(0);
            if above <= sp {
                return (found, Some(sp));
            }
            found.push((address, "unwind-table"));
            (sp, known) = (above, caller);
        }
        (found, None)
    }

    /// The unwind tables at an address, and the address as they have it.
    fn tables(&mut self, address: u64) -> Option<(&Tables, u64)> {
        let (area, offset) = mapped(self.areas, address)?;
        let Program { elf, tables } = self.program(area)?;
        let address = elf.address_of(offset)?;
        Some((tables.get_or_insert_with(|| Tables::of(elf)).as_ref()?, address))
    }

    /// The file of a mapping, where it is still the one that is mapped.
    fn program(&mut self, area: &Area) -> Option<&mut Program> {
        let pid = self.pid;
        let open = || {
            // As the process sees it, which may have a root of its own.
            let mut path = PathBuf::from(format!("/proc/{pid}/root"));
            path.push(Path::new(OsStr::from_bytes(&area.path)).strip_prefix("/").ok()?);
            Some(Program { elf: Elf::open(&path, Some(area.inode))?, tables: None })
        };
        self.open.entry(area.path.clone()).or_insert_with(open).as_mut()
    }

    /// The addresses with their files and names. A caller is called by what stands before its return address.
    pub(super) fn named(&mut self, found: &[Found]) -> Vec<UserFrame> {
        let mut wanted: BTreeMap<&[u8], (&Area, Vec<u64>)> = BTreeMap::new();
        let mut places = Vec::new();
        for (at, &(address, _)) in found.iter().enumerate() {
            let place = mapped(self.areas, address).and_then(|(area, offset)| {
                let address = self.program(area)?.elf.address_of(offset)?;
                Some((area, address - u64::from(at > 0 && address > 0)))
            });
            if let Some((area, address)) = place {
                wanted.entry(&area.path).or_insert((area, Vec::new())).1.push(address);
            }
            places.push(place);
        }
        let names: BTreeMap<&[u8], BTreeMap<u64, Vec<Named>>> = wanted
            .into_iter()
            .filter_map(|(path, (area, addresses))| Some((path, self.program(area)?.names(&addresses))))
            .collect();
        let mut frames = Vec::new();
        for (&one, at) in found.iter().zip(places) {
            let plain = place(self.areas, one);
            let named = at.and_then(|(area, at)| names.get(&area.path[..])?.get(&at));
            for Named { function, source, line } in named.unwrap_or(&vec![Named::default()]).clone() {
                frames.push(UserFrame { function, source, line, ..plain.clone() });
            }
        }
        frames
    }
}
