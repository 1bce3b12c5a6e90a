//! The kernel's functions by their addresses (/proc/kallsyms), for call paths that come as addresses.
//!
//! The list is long: reading it takes some 40 ms. So it is read once in a process, when a kill is to be expected or the
//! first path has come, and again where an address is in none of its functions (a module was loaded since).

use std::fs::File;
use std::io::{self, Read};
use std::sync::{Arc, Mutex};

use super::callpath::{parse_symbol, Frame};
use crate::order::order_pairs;
use crate::sys::{kept, monotonic_ns, room};
use crate::{Error, ErrorKind, Result};

const PATH: &str = "/proc/kallsyms";
const HIDDEN: &str = "the kernel hides the addresses of its functions (kernel.kptr_restrict)";
/// No function is longer: an address so far behind the last one before it is in none.
const LONGEST: u64 = 4 << 20;
/// Padding before a function (6.2): a symbol of its own that no code runs in. Only its address matters, as an end.
const PADDING: &[u8] = b"__pfx_";
/// What is in no function may never be; the list is not read again for it before so much time has passed.
const RENEWAL_NS: u64 = 10_000_000_000;

/// The list of this process, for all of its labs.
static SYMBOLS: Mutex<Option<Arc<Symbols>>> = Mutex::new(None);

/// All functions in the order of their addresses.
#[derive(Debug, Default)]
pub(crate) struct Symbols {
    addresses: Vec<u64>,
    /// Where in `text` the name begins; of padding it is empty.
    names: Vec<u32>,
    /// Names with their modules as the file has them, each ended by a newline.
    text: Vec<u8>,
    /// When the list was read.
    read_ns: u64,
}

impl Symbols {
    /// Reads the list if this process has not yet.
    ///
    /// # Errors
    /// As [`check`]; `Io`.
    pub(crate) fn get() -> Result<Arc<Symbols>> {
        Symbols::cached(false)
    }

    /// The list as it is now: modules may have come.
    ///
    /// # Errors
    /// As [`Symbols::get`].
    pub(crate) fn renew() -> Result<Arc<Symbols>> {
        Symbols::cached(true)
    }

    fn cached(anew: bool) -> Result<Arc<Symbols>> {
        // Where somebody else is there, the list is read for once.
        let mut cache = kept(&SYMBOLS);
        if let Some(symbols) = cache.as_ref().and_then(|cache| cache.as_ref()).filter(|_| !anew) {
            return Ok(symbols.clone());
        }
        let file = File::open(PATH).map_err(|source| Error::os("read the kernel's symbols", source).path(PATH))?;
        let symbols = Symbols::read(file);
        let symbols = symbols.map_err(|source| Error::os("read the kernel's symbols", source).path(PATH))?;
        let symbols = Arc::new(symbols);
        if let Some(cache) = &mut cache {
            **cache = Some(symbols.clone());
        }
        Ok(symbols)
    }

    fn read(mut file: impl Read) -> io::Result<Symbols> {
        let mut symbols = Symbols { read_ns: monotonic_ns(), ..Symbols::default() };
        let mut buffer = vec![0; 64 << 10];
        let mut rest = 0;
        loop {
            let count = match file.read(&mut buffer[rest..]) {
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let filled = rest + count;
            let whole = buffer[..filled].iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
            buffer[..whole].split(|&byte| byte == b'\n').try_for_each(|line| symbols.add(line))?;
            buffer.copy_within(whole..filled, 0);
            rest = filled - whole;
            // A line that fills the buffer is no symbol.
            if count == 0 || rest == buffer.len() {
                break;
            }
        }
        symbols.sort()?;
        room::left()?;
        // Who has given up its rights since may not know any more. What the process has read before still holds.
        match symbols.addresses.iter().all(|address| *address == 0) {
            true => Err(io::Error::new(io::ErrorKind::PermissionDenied, HIDDEN)),
            false => Ok(symbols),
        }
    }

    /// `ffffffff81000000 T name` or `... t name\t[module]`.
    fn add(&mut self, line: &[u8]) -> io::Result<()> {
        let Some((address, name)) = line.split_at_checked(16).and_then(|(address, rest)| {
            Some((hexadecimal(address)?, rest.strip_prefix(b" ")?.get(1..)?.strip_prefix(b" ")?))
        }) else {
            return Ok(());
        };
        let Ok(at) = u32::try_from(self.text.len()) else { return Ok(()) };
        self.text.try_reserve(name.len() + 1).map_err(room::refused)?;
        self.addresses.try_reserve(1).map_err(room::refused)?;
        self.names.try_reserve(1).map_err(room::refused)?;
        if !name.starts_with(PADDING) {
            self.text.extend_from_slice(name);
        }
        self.text.push(b'\n');
        self.addresses.push(address);
        self.names.push(at);
        Ok(())
    }

    /// The kernel's own are in order already, those of modules are not; of one address the first stays the first.
    fn sort(&mut self) -> io::Result<()> {
        if self.addresses.is_sorted() {
            return Ok(());
        }
        let mut both: Vec<(u64, u32)> = Vec::new();
        both.try_reserve_exact(self.addresses.len()).map_err(room::refused)?;
        both.extend(self.addresses.iter().copied().zip(self.names.iter().copied()));
        // A name that was read later stands farther behind in the text.
        order_pairs(&mut both);
        for (place, (address, name)) in both.into_iter().enumerate() {
            (self.addresses[place], self.names[place]) = (address, name);
        }
        Ok(())
    }

    /// Whether the address is in none of the functions, and the list may be too old to have its own.
    pub(crate) fn lacks(&self, address: u64) -> bool {
        self.bounds(address).is_none() && monotonic_ns().saturating_sub(self.read_ns) > RENEWAL_NS
    }

    /// The last address at or before this one where a function begins, and the first one behind it.
    fn bounds(&self, address: u64) -> Option<(u64, u64)> {
        let behind = self.addresses.partition_point(|start| *start <= address);
        let (start, end) = (*self.addresses.get(behind.checked_sub(1)?)?, *self.addresses.get(behind)?);
        (end - start <= LONGEST).then_some((start, end))
    }

    /// The function in which the address is, as the kernel would print it; `None` where it is in none.
    pub(crate) fn frame(&self, address: u64) -> Option<Frame> {
        let (start, end) = self.bounds(address)?;
        // Several names of one address: the kernel prints the first.
        let first = self.addresses.partition_point(|other| *other < start);
        let behind = self.addresses.partition_point(|other| *other <= start);
        let mut frame = (first..behind).find_map(|index| parse_symbol(self.name(index)))?;
        frame.offset = Some(address - start);
        frame.size = Some(end - start);
        Some(frame)
    }

    fn name(&self, index: usize) -> &[u8] {
        let rest = &self.text[self.names[index] as usize..];
        rest.split(|&byte| byte == b'\n').next().unwrap_or_default()
    }
}

/// Whether this process is shown addresses, or was when it read them; without them nothing can be named.
///
/// # Errors
/// `PermissionDenied` where all of them are zero (`kernel.kptr_restrict`); `Io`.
pub(crate) fn check() -> Result<()> {
    // What was read before still holds.
    if kept(&SYMBOLS).is_some_and(|cache| cache.is_some()) {
        return Ok(());
    }
    let failed = |source: io::Error| Error::os("read the kernel's symbols", source).path(PATH);
    // The first are those of each CPU's memory, which are small numbers on some kernels, yet not all of them zero.
    let mut start = [0; 4096];
    let count = File::open(PATH).and_then(|mut file| file.read(&mut start)).map_err(failed)?;
    let shown = start[..count].split(|&byte| byte == b'\n').any(|line| {
        line.split_at_checked(16).and_then(|(address, _)| hexadecimal(address)).is_some_and(|address| address != 0)
    });
    match shown {
        true => Ok(()),
        false => Err(Error::new(ErrorKind::PermissionDenied, "read the kernel's symbols", HIDDEN)
            .path(PATH)
            .remedy("sysctl kernel.kptr_restrict=1, and CAP_SYSLOG")),
    }
}

fn hexadecimal(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0u64, |value, byte| {
        let digit = char::from(*byte).to_digit(16)?;
        Some(value << 4 | u64::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] = b"0000000000001000 A cpu_debug_store\nffffffff81000000 T _stext\nffffffff81000000 T _text\n\
        ffffffff81000010 t __pfx_oom_kill_process\nffffffff81000020 t oom_kill_process.cold\n\
        ffffffff81000100 T _etext\nffffffffc0202000 t later\t[xfs]\nffffffffc0201000 t xfs_read\t[xfs 12ab]\nnonsense\n\
        ffffffffc0203000 t _end";

    fn frame(address: u64) -> Option<(String, u64, u64, Option<String>)> {
        let frame = Symbols::read(TEXT).expect("memory").frame(address)?;
        Some((frame.function, frame.offset?, frame.size?, frame.module))
    }

    #[test]
    fn an_address_is_in_the_function_that_begins_before_it() {
        let name = |name: &str, module: Option<&str>| (name.to_string(), module.map(str::to_string));
        let found = |address| frame(address).map(|(function, offset, size, module)| ((function, module), offset, size));
        assert_eq!(found(0xffff_ffff_8100_0021), Some((name("oom_kill_process.cold", None), 1, 0xe0)));
        assert_eq!(found(0xffff_ffff_8100_0008), Some((name("_stext", None), 8, 0x10)));
        assert_eq!(found(0xffff_ffff_c020_1fff), Some((name("xfs_read", Some("xfs")), 0xfff, 0x1000)));
        assert_eq!(found(0xffff_ffff_8100_0018), None, "padding has no code");
        assert_eq!(found(0xffff_ffff_9000_0000), None, "far behind the last one of the kernel");
        assert_eq!(found(0xffff_ffff_ffff_ffff), None);
        assert_eq!(found(0), None);
    }

    #[test]
    fn a_list_that_hides_its_addresses_is_none() {
        let hidden = b"0000000000000000 T _stext\n0000000000000000 t memcg_oom\t[xfs]\n".as_slice();
        let error = Symbols::read(hidden).expect_err("no addresses");
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
    }

    #[test]
    fn the_list_of_this_kernel_names_what_the_kernel_names() {
        if let Err(error) = check() {
            crate::observe::live::skip(&error.to_string());
            return;
        }
        let symbols = Symbols::get().expect("readable");
        let index = (0..symbols.names.len()).find(|index| symbols.name(*index) == b"mark_oom_victim").expect("there");
        let frame = symbols.frame(symbols.addresses[index] + 5).expect("a function");
        assert_eq!((frame.function.as_str(), frame.offset, frame.module), ("mark_oom_victim", Some(5), None));
        assert!(Arc::ptr_eq(&symbols, &Symbols::get().expect("cached")));
    }
}
