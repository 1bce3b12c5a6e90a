//! The mount table of this process: /proc/self/mountinfo, as bytes, because a mount point need not be UTF-8.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

/// One line of mountinfo, as far as it is needed.
#[derive(Clone)]
pub(crate) struct Mount {
    /// What part of the file system it shows.
    pub(crate) root: PathBuf,
    /// Where it is.
    pub(crate) point: PathBuf,
    /// The type of the file system.
    pub(crate) kind: Vec<u8>,
    /// The options of the file system; on v1 the controllers are among them.
    pub(crate) super_options: Vec<u8>,
    /// Whether the mount or the file system is read-only.
    pub(crate) read_only: bool,
}

/// The mounts of /proc/self/mountinfo; a later mount on the same point hides an earlier one.
pub(crate) fn mounts(text: &[u8]) -> Vec<Mount> {
    let mut mounts: Vec<Mount> = Vec::new();
    // Backwards, so that of mounts on one point the last is met first: a machine may have a hundred thousand.
    let mut seen = std::collections::BTreeSet::new();
    for line in text.rsplit(|&byte| byte == b'\n') {
        let fields: Vec<&[u8]> = line.split(|&byte| byte == b' ').collect();
        // Between the options and the dash stands any number of optional fields.
        let Some(dash) = fields.iter().position(|field| *field == b"-") else { continue };
        let (&[_, _, _, root, point, options, ..], [kind, rest @ ..]) = (&fields[..dash], &fields[dash + 1..]) else {
            continue;
        };
        let super_options = rest.last().copied().unwrap_or(b"");
        let comma = |&byte: &u8| byte == b',';
        let read_only = options.split(comma).chain(super_options.split(comma)).any(|option| option == b"ro");
        let point = unescape(point);
        if !seen.insert(point.clone()) {
            continue;
        }
        mounts.push(Mount {
            root: unescape(root),
            point,
            kind: kind.to_vec(),
            super_options: super_options.to_vec(),
            read_only,
        });
    }
    mounts.reverse();
    mounts
}

/// A path as mountinfo writes it.
fn unescape(bytes: &[u8]) -> PathBuf {
    PathBuf::from(OsString::from_vec(crate::text::unescape_octal(bytes)))
}
