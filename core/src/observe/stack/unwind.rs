//! The callers of an instruction by the program's own unwind tables (`.eh_frame`), which every compiler writes for x86-64 and
//! aarch64, also where there is no frame pointer and no debug information.

use addr2line::gimli::{
    BaseAddresses, CfaRule, EhFrame, EhFrameHdr, NativeEndian, Register, RegisterRule, UnwindContext, UnwindSection,
};

use super::Stack;
use crate::observe::elf::Elf;

/// The numbers of DWARF for the stack pointer and for where the return address is.
#[cfg(target_arch = "aarch64")]
const NUMBERS: (u16, u16) = (31, 30);
#[cfg(not(target_arch = "aarch64"))]
const NUMBERS: (u16, u16) = (7, 16);
/// So many registers there are at most that a table speaks of.
const REGISTERS: usize = 33;

/// The unwind tables of one program.
pub(super) struct Tables {
    header: (u64, Vec<u8>),
    frames: (u64, Vec<u8>),
    text: u64,
}

/// What is known of the registers in one frame.
#[derive(Clone)]
pub(super) struct Known {
    values: [Option<u64>; REGISTERS],
}

impl Known {
    /// Of a thread of which nothing but its stack pointer is known.
    pub(super) fn of(sp: u64) -> Known {
        let mut known = Known { values: [None; REGISTERS] };
        known.values[usize::from(NUMBERS.0)] = Some(sp);
        known
    }

    fn get(&self, register: Register) -> Option<u64> {
        self.values.get(usize::from(register.0)).copied().flatten()
    }

    pub(super) fn sp(&self) -> Option<u64> {
        self.get(Register(NUMBERS.0))
    }
}

impl Tables {
    pub(super) fn of(elf: &Elf) -> Option<Tables> {
        let text = elf.address(".text").unwrap_or(0);
        Some(Tables { header: elf.section(".eh_frame_hdr")?, frames: elf.section(".eh_frame")?, text })
    }

    /// One caller: its address, `None` at the end of the stack, and what is known of its registers.
    pub(super) fn caller(&self, address: u64, known: &Known, stack: &Stack<'_>) -> Option<(Option<u64>, Known)> {
        let bases =
            BaseAddresses::default().set_eh_frame_hdr(self.header.0).set_eh_frame(self.frames.0).set_text(self.text);
        let mut frames = EhFrame::new(&self.frames.1, NativeEndian);
        frames.set_address_size(8);
        let header = EhFrameHdr::new(&self.header.1, NativeEndian).parse(&bases, 8).ok()?;
        let mut context = UnwindContext::new();
        let row = header
            .table()?
            .unwind_info_for_address(&frames, &bases, &mut context, address, EhFrame::cie_from_offset)
            .ok()?;
        let CfaRule::RegisterAndOffset { register, offset } = row.cfa() else { return None };
        let cfa = known.get(*register)?.checked_add_signed(*offset)?;
        let (sp, back) = (Register(NUMBERS.0), Register(NUMBERS.1));
        let mut caller = known.clone();
        for (at, value) in caller.values.iter_mut().enumerate() {
            let register = Register(u16::try_from(at).ok()?);
            *value = match row.register(register) {
                _ if register == sp => Some(cfa),
                RegisterRule::Offset(offset) => cfa.checked_add_signed(offset).and_then(|at| stack.word(at)),
                RegisterRule::ValOffset(offset) => cfa.checked_add_signed(offset),
                RegisterRule::Register(other) => known.get(other),
                // What is not said to be saved is what it was, where the function keeps it.
                RegisterRule::SameValue | RegisterRule::Undefined if register != back => *value,
                _ => None,
            };
        }
        match row.register(back) {
            RegisterRule::Undefined if NUMBERS.1 == 16 => Some((None, caller)),
            _ => Some((Some(caller.get(back)?).filter(|address| *address != 0), caller)),
        }
    }
}
