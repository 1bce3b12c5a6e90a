//! What a program's file says of its addresses: its sections, where they are loaded, and its symbols. The file is somebody
//! else's, so nothing in it is trusted: whatever does not fit is not there.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use crate::sys::room;

/// So many bytes of one section are read at most; debug information of a browser has more, and waits for nobody.
const MOST: u64 = 128 << 20;
const HEADER: usize = 64;
const SECTION: usize = 64;
const PROGRAM: usize = 56;
const SYMBOL: usize = 24;

const NO_BITS: u64 = 8;
const COMPRESSED: u64 = 0x800;
const LOAD: u64 = 1;
/// `STT_FUNC` and `STT_GNU_IFUNC`.
const FUNCTIONS: [u8; 2] = [2, 10];

/// A file of the 64-bit ELF of this machine.
#[derive(Debug)]
pub(super) struct Elf {
    file: File,
    sections: Vec<Section>,
    loads: Vec<Load>,
}

/// A part of the file with a name.
#[derive(Debug)]
struct Section {
    name: Vec<u8>,
    kind: u64,
    flags: u64,
    address: u64,
    offset: u64,
    size: u64,
    /// The section that belongs to it: of symbols that with their names.
    link: usize,
}

/// A part of the file that is mapped.
#[derive(Debug)]
struct Load {
    offset: u64,
    address: u64,
    size: u64,
}

impl Elf {
    /// Opens the file of a mapping; `None` where it is another one by now, or no such program.
    pub(super) fn open(path: &Path, inode: Option<u64>) -> Option<Elf> {
        // Opening what is no file may wait for ever.
        let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path).ok()?;
        let found = file.metadata().ok()?;
        if !found.is_file() || inode.is_some_and(|inode| inode != found.ino()) {
            return None;
        }
        let header = read(&file, 0, HEADER as u64)?;
        let order = if cfg!(target_endian = "little") { 1 } else { 2 };
        if header.get(..6)? != [0x7f, b'E', b'L', b'F', 2, order] {
            return None;
        }
        let mut elf = Elf { sections: Vec::new(), loads: Vec::new(), file };
        elf.loads = elf.table(&header, 32, 54, 56, PROGRAM)?.chunks_exact(PROGRAM).filter_map(Load::parse).collect();
        let table = elf.table(&header, 40, 58, 60, SECTION)?;
        let names = usize::try_from(number(&header, 62, 2)?).ok()?;
        let mut sections: Vec<(u64, Section)> = table.chunks_exact(SECTION).filter_map(Section::parse).collect();
        let names = sections.get(names).and_then(|(_, names)| elf.bytes(names)).unwrap_or_default();
        for (at, section) in &mut sections {
            section.name = text_at(&names, *at).unwrap_or_default();
        }
        elf.sections = sections.into_iter().map(|(_, section)| section).collect();
        Some(elf)
    }

    /// A table of the header: where it is, how large an entry is (which must be what we know), and how many there are.
    fn table(&self, header: &[u8], offset: usize, entry: usize, count: usize, size: usize) -> Option<Vec<u8>> {
        let (offset, count) = (number(header, offset, 8)?, number(header, count, 2)?);
        if count > 0 && number(header, entry, 2)? != size as u64 {
            return None;
        }
        read(&self.file, offset, count * size as u64)
    }

    /// The address at which the program has a byte of the file.
    pub(super) fn address_of(&self, offset: u64) -> Option<u64> {
        let load = self.loads.iter().find(|load| offset.checked_sub(load.offset).is_some_and(|at| at < load.size))?;
        load.address.checked_add(offset - load.offset)
    }

    /// A section and the address at which the program has it; `None` where there is none that can be read as it is.
    pub(super) fn section(&self, name: &str) -> Option<(u64, Vec<u8>)> {
        let section = self.sections.iter().find(|section| section.name == name.as_bytes())?;
        Some((section.address, self.bytes(section)?))
    }

    /// Whether it has a section, in whatever form.
    pub(super) fn has(&self, name: &str) -> bool {
        self.sections.iter().any(|section| section.name == name.as_bytes() && section.kind != NO_BITS)
    }

    fn bytes(&self, section: &Section) -> Option<Vec<u8>> {
        if section.kind == NO_BITS || section.flags & COMPRESSED != 0 {
            return None;
        }
        read(&self.file, section.offset, section.size)
    }

    /// What the linker has named this build (`.note.gnu.build-id`), in hexadecimal digits.
    pub(super) fn build_id(&self) -> Option<String> {
        let (_, note) = self.section(".note.gnu.build-id")?;
        let (name, length) = (number(&note, 0, 4)?, number(&note, 4, 4)?);
        let start = 12usize.checked_add(usize::try_from(name).ok()?.next_multiple_of(4))?;
        let id = note.get(start..start.checked_add(usize::try_from(length).ok()?)?)?;
        Some(id.iter().map(|byte| format!("{byte:02x}")).collect()).filter(|id: &String| id.len() > 2)
    }

    /// The address at which the program has a section.
    pub(super) fn address(&self, name: &str) -> Option<u64> {
        self.sections.iter().find(|section| section.name == name.as_bytes()).map(|section| section.address)
    }

    /// The functions at some addresses of the program, by its symbols: all of them, or those that others may use.
    pub(super) fn functions(&self, addresses: &[u64]) -> BTreeMap<u64, Vec<u8>> {
        let mut found = BTreeMap::new();
        for table in [".symtab", ".dynsym"] {
            self.functions_of(table, addresses, &mut found);
        }
        found
    }

    fn functions_of(&self, table: &str, addresses: &[u64], found: &mut BTreeMap<u64, Vec<u8>>) -> Option<()> {
        let table = self.sections.iter().find(|section| section.name == table.as_bytes())?;
        let names = self.bytes(self.sections.get(table.link)?)?;
        let symbols = self.bytes(table)?;
        for symbol in symbols.chunks_exact(SYMBOL).filter(|symbol| FUNCTIONS.contains(&(symbol[4] & 0xf))) {
            let (name, start, size) = (number(symbol, 0, 4)?, number(symbol, 8, 8)?, number(symbol, 16, 8)?);
            for &address in addresses {
                if address.checked_sub(start).is_some_and(|at| at < size) && !found.contains_key(&address) {
                    let name = text_at(&names, name).filter(|name| !name.is_empty());
                    found.extend(name.map(|name| (address, name)));
                }
            }
        }
        Some(())
    }
}

impl Section {
    fn parse(entry: &[u8]) -> Option<(u64, Section)> {
        let section = Section {
            name: Vec::new(),
            kind: number(entry, 4, 4)?,
            flags: number(entry, 8, 8)?,
            address: number(entry, 16, 8)?,
            offset: number(entry, 24, 8)?,
            size: number(entry, 32, 8)?,
            link: usize::try_from(number(entry, 40, 4)?).ok()?,
        };
        Some((number(entry, 0, 4)?, section))
    }
}

impl Load {
    fn parse(entry: &[u8]) -> Option<Load> {
        if number(entry, 0, 4)? != LOAD {
            return None;
        }
        Some(Load { offset: number(entry, 8, 8)?, address: number(entry, 16, 8)?, size: number(entry, 32, 8)? })
    }
}

/// Bytes of the file, as many as there are; `None` for too many.
fn read(file: &File, offset: u64, size: u64) -> Option<Vec<u8>> {
    let there = file.metadata().ok()?.len().checked_sub(offset)?;
    let size = usize::try_from(Some(size.min(there)).filter(|size| *size <= MOST)?).ok()?;
    room::left_to_make(room::Made::Lines, size).ok()?;
    let mut bytes = vec![0; size];
    file.read_exact_at(&mut bytes, offset).ok()?;
    Some(bytes)
}

/// A number of so many bytes, in the order of this machine.
fn number(bytes: &[u8], at: usize, length: usize) -> Option<u64> {
    let bytes = bytes.get(at..at + length)?;
    let value = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
    Some(if cfg!(target_endian = "little") { bytes.iter().rev().fold(0, value) } else { bytes.iter().fold(0, value) })
}

/// The text that begins there, up to its 0.
fn text_at(bytes: &[u8], at: u64) -> Option<Vec<u8>> {
    let rest = bytes.get(usize::try_from(at).ok()?..)?;
    Some(rest[..rest.iter().position(|&byte| byte == 0)?].to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn this() -> std::path::PathBuf {
        std::env::current_exe().unwrap()
    }

    #[test]
    fn a_program_names_its_functions_and_another_file_none() {
        let elf = Elf::open(&this(), None).unwrap();
        let (address, _) = elf.section(".text").unwrap();
        let text = elf.sections.iter().find(|section| section.name == b".text").unwrap();
        assert_eq!(elf.address_of(text.offset), Some(address));
        let symbols = elf.sections.iter().find(|section| section.name == b".symtab").unwrap();
        let symbols = elf.bytes(symbols).unwrap();
        let one =
            symbols.chunks_exact(SYMBOL).find(|one| one[4] & 0xf == 2 && number(one, 16, 8).unwrap() > 8).unwrap();
        let start = number(one, 8, 8).unwrap();
        let found = elf.functions(&[start, start + 4, 1]);
        assert_eq!(found.keys().copied().collect::<Vec<_>>(), [start, start + 4]);
        assert_eq!(found[&start], found[&(start + 4)]);
        let inode = std::fs::metadata(this()).unwrap().ino();
        assert!(Elf::open(&this(), Some(inode)).is_some() && Elf::open(&this(), Some(inode + 1)).is_none());
        for other in ["/proc/self/maps", "/dev/zero", "/nowhere", "/"] {
            assert!(Elf::open(Path::new(other), None).is_none(), "{other}");
        }
    }

    #[test]
    fn a_damaged_file_says_less_and_never_ends_the_caller() {
        let whole = std::fs::read(this()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("damaged");
        let table = usize::try_from(number(&whole, 40, 8).unwrap()).unwrap();
        for round in 0..600usize {
            let mut bytes = whole[..whole.len().min(HEADER + 16 * PROGRAM)].to_vec();
            bytes.extend_from_slice(&whole[table.min(whole.len())..]);
            // The table of sections stands behind the header here.
            let start = (HEADER + 16 * PROGRAM) as u64;
            bytes[40..48].copy_from_slice(&start.to_ne_bytes());
            let at = (round * 7919) % bytes.len();
            bytes[at] ^= 1 << (round % 8);
            bytes[round % HEADER] = bytes[round % HEADER].wrapping_add((round / HEADER) as u8);
            std::fs::write(&path, &bytes).unwrap();
            let Some(elf) = Elf::open(&path, None) else { continue };
            let _ = (
                elf.functions(&[0x1000, u64::MAX]),
                elf.build_id(),
                elf.address_of(u64::MAX),
                elf.section(".eh_frame"),
            );
        }
    }
}
