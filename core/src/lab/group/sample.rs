//! A sample for the timeline, when the user asks for one.

use super::Group;
use crate::error::Result;
use crate::lab::foresee::read_tree;

impl Group {
    /// Notes in the timeline what the group uses now, and what each process in it and below it holds.
    ///
    /// A share is what `/proc/PID/stat` calls resident (anonymous, file and shared pages) and the swap of
    /// `/proc/PID/status`. It need not add up to the usage: shared pages are charged to one group only, and the usage
    /// also has page cache and kernel memory. A share that has not changed is not told again; a process that has gone
    /// is told once, with 0.
    ///
    /// # Errors
    /// `InvalidInput` for an opened group, which has no timeline; `NotFound` where the group was removed;
    /// `PermissionDenied` where /proc hides the processes; `Closed`.
    pub fn sample(&self) -> Result<()> {
        let lab = self.lab("sample")?;
        self.alive("sample")?;
        let usage_bytes = self.usage_bytes()?;
        let mut inputs = Vec::new();
        read_tree(&self.0.cgroup, &mut inputs)?;
        let mut state = lab.hub.refresh();
        state.told_usage(&self.0.cgroup, usage_bytes);
        state.told_all(&self.0.cgroup, inputs);
        state.ring();
        Ok(())
    }
}
