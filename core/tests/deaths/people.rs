//! Those who kill: shells under the names of a daemon or a runtime, outside of the groups, and a program that nobody can
//! start.

use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use super::common::person::Person;

/// A directory with the programs.
pub struct People(tempfile::TempDir);

impl People {
    pub fn new() -> People {
        let people = People(tempfile::tempdir().unwrap());
        for name in ["person", "earlyoom", "containerd-shim"] {
            std::fs::copy("/bin/sh", people.program(name)).unwrap();
        }
        std::fs::write(people.program("broken"), broken()).unwrap();
        std::fs::set_permissions(people.program("broken"), PermissionsExt::from_mode(0o755)).unwrap();
        people
    }

    pub fn program(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// One of that name who does that.
    pub fn does(&self, name: &str, line: &str) -> Person {
        Person::does(self.program(name), line)
    }
}

/// A program of this machine's kind whose only part is to be loaded where no program may be. The kernel has thrown the old
/// program away by the time it sees that.
fn broken() -> Vec<u8> {
    let mut header = [0; 64];
    std::fs::File::open("/bin/sh").unwrap().read_exact(&mut header).unwrap();
    let mut put = |at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
    // e_type: ET_EXEC; e_entry and e_phoff; e_phentsize and e_phnum.
    put(16, &2u16.to_ne_bytes());
    put(24, &0x1000u64.to_ne_bytes());
    put(32, &64u64.to_ne_bytes());
    put(54, &56u16.to_ne_bytes());
    put(56, &1u16.to_ne_bytes());
    let mut program = header.to_vec();
    // PT_LOAD, readable and executable; offset, address twice, size in the file and in memory, alignment.
    program.extend([1u32, 5].into_iter().flat_map(u32::to_ne_bytes));
    let nowhere = 0xffff_0000_0000_0000u64;
    program.extend([0, nowhere, nowhere, 120, 120, 0x1000].into_iter().flat_map(u64::to_ne_bytes));
    program
}
