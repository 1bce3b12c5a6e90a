//! The path of a group from the top of its hierarchy, as the kernel writes it.

/// Whether the group `inner` is `outer` or stands below it, by their paths from the top of the hierarchy, as events and
/// accounts have them.
///
/// ```
/// assert!(memoom::covers("/a", "/a/b") && memoom::covers("/a", "/a") && memoom::covers("/", "/a"));
/// assert!(!memoom::covers("/a", "/ab") && !memoom::covers("/a/b", "/a"));
/// ```
pub fn covers(outer: &str, inner: &str) -> bool {
    outer == "/" || inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// A path and those above it, up to the top.
pub(crate) fn upwards(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(path), |path| match path.rfind('/') {
        Some(0) if path.len() > 1 => Some("/"),
        Some(0) | None => None,
        Some(at) => Some(&path[..at]),
    })
}

#[cfg(test)]
mod tests {
    use super::{covers, upwards};

    #[test]
    fn what_is_upwards_of_a_path_covers_it() {
        let above = |path: &'static str| upwards(path).collect::<Vec<_>>();
        assert_eq!(above("/a/b c/d"), ["/a/b c/d", "/a/b c", "/a", "/"]);
        assert_eq!((above("/"), above("/../../x")), (vec!["/"], vec!["/../../x", "/../..", "/..", "/"]));
        assert!(upwards("/a/b").all(|above| covers(above, "/a/b")));
    }
}
