//! The path of a group from the top of its hierarchy, as the kernel writes it.

/// Whether `inner` is `outer` or stands below it.
pub(crate) fn covers(outer: &str, inner: &str) -> bool {
    outer == "/" || inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
