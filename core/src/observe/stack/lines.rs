//! Names and lines of source of a program's addresses, from its debug information (DWARF), where that is there.

use std::collections::BTreeMap;
use std::path::PathBuf;

use addr2line::gimli::{Dwarf, EndianSlice, NativeEndian, SectionId};
use addr2line::{Context, FrameIter};

use crate::observe::elf::Elf;

/// Where distributions put debug information that they have taken out of the programs.
const APART: &str = "/usr/lib/debug/.build-id";

/// The debug information of one program.
pub(super) struct Lines {
    sections: Vec<(SectionId, Vec<u8>)>,
}

/// A function, and where in its source it stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) function: Option<Vec<u8>>,
    pub(super) source: Option<Vec<u8>>,
    pub(super) line: Option<u32>,
}

const WANTED: [SectionId; 11] = [
    SectionId::DebugAbbrev,
    SectionId::DebugAddr,
    SectionId::DebugAranges,
    SectionId::DebugInfo,
    SectionId::DebugLine,
    SectionId::DebugLineStr,
    SectionId::DebugRanges,
    SectionId::DebugRngLists,
    SectionId::DebugStr,
    SectionId::DebugStrOffsets,
    SectionId::DebugTypes,
];

impl Lines {
    /// That of the file itself, or what belongs to its build.
    pub(super) fn of(elf: &Elf) -> Option<Lines> {
        if elf.has(SectionId::DebugInfo.name()) {
            return Some(Lines::read(elf));
        }
        let id = elf.build_id()?;
        let (folder, rest) = id.split_at_checked(2)?;
        let apart = Elf::open(&PathBuf::from(APART).join(folder).join(format!("{rest}.debug")), None)?;
        apart.has(SectionId::DebugInfo.name()).then(|| Lines::read(&apart))
    }

    fn read(elf: &Elf) -> Lines {
        let read = |id: SectionId| Some((id, elf.section(id.name())?.1));
        Lines { sections: WANTED.into_iter().filter_map(read).collect() }
    }

    /// What stands at some addresses, the innermost of functions that were put into each other first; of what is not known
    /// nothing.
    pub(super) fn at(&self, addresses: &[u64]) -> BTreeMap<u64, Vec<Named>> {
        let section = |id: SectionId| {
            let found = self.sections.iter().find(|(own, _)| *own == id).map_or(&[][..], |(_, bytes)| bytes);
            Ok::<_, addr2line::gimli::Error>(EndianSlice::new(found, NativeEndian))
        };
        let Ok(context) = Dwarf::load(section).and_then(Context::from_dwarf) else { return BTreeMap::new() };
        let found = addresses.iter().filter_map(|&at| {
            let named = collected(context.find_frames(at).skip_all_loads().ok()?);
            (!named.is_empty()).then_some((at, named))
        });
        found.collect()
    }
}

fn collected(mut frames: FrameIter<'_, EndianSlice<'_, NativeEndian>>) -> Vec<Named> {
    let mut found = Vec::new();
    while let Ok(Some(frame)) = frames.next() {
        let function =
            frame.function.as_ref().and_then(|name| name.demangle().ok()).map(|name| name.as_bytes().to_vec());
        let source = frame.location.as_ref().and_then(|place| place.file).map(|file| file.as_bytes().to_vec());
        let line = frame.location.and_then(|place| place.line).filter(|line| *line > 0);
        if function.is_some() || line.is_some() {
            found.push(Named { function, source, line });
        }
    }
    found
}
