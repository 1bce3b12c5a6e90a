//! What the kernel calls the files of a group.

/// The memory controller of cgroup v1.
pub(crate) mod v1 {
    pub(crate) const LIMIT: &str = "memory.limit_in_bytes";
    pub(crate) const USAGE: &str = "memory.usage_in_bytes";
    pub(crate) const USE_HIERARCHY: &str = "memory.use_hierarchy";
    pub(crate) const PEAK: &str = "memory.max_usage_in_bytes";
    pub(crate) const FAILCNT: &str = "memory.failcnt";
    pub(crate) const OOM_CONTROL: &str = "memory.oom_control";
    pub(crate) const MEMSW_USAGE: &str = "memory.memsw.usage_in_bytes";
    pub(crate) const MEMSW_LIMIT: &str = "memory.memsw.limit_in_bytes";
    pub(crate) const SWAPPINESS: &str = "memory.swappiness";
}

/// The memory controller of cgroup v2.
pub(crate) mod v2 {
    pub(crate) const LIMIT: &str = "memory.max";
    pub(crate) const MIN: &str = "memory.min";
    pub(crate) const LOW: &str = "memory.low";
    pub(crate) const HIGH: &str = "memory.high";
    pub(crate) const USAGE: &str = "memory.current";
    pub(crate) const PEAK: &str = "memory.peak";
    pub(crate) const EVENTS: &str = "memory.events";
    pub(crate) const LOCAL_EVENTS: &str = "memory.events.local";
    pub(crate) const OOM_GROUP: &str = "memory.oom.group";
    pub(crate) const SWAP_LIMIT: &str = "memory.swap.max";
    pub(crate) const ZSWAP_LIMIT: &str = "memory.zswap.max";
    pub(crate) const SUBTREE_CONTROL: &str = "cgroup.subtree_control";
}
