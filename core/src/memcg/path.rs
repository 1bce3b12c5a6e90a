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
