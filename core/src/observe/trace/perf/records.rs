//! The records of a ring to items whose paths are still addresses.

use std::sync::Arc;

use super::super::super::tracefs::{read_file, Tracefs};
use super::super::layout::Layout;
use super::super::values::{Context, Values, DELIVER_NEEDS, GENERATE_NEEDS, NAMELESS, VICTIM_NEEDS};
use super::super::{TraceItem, DELIVER, GENERATE, VICTIM};
use crate::{Error, ErrorKind, Result};

// From <linux/perf_event.h>.
const RECORD_LOST: u32 = 2;
const RECORD_SAMPLE: u32 = 9;
/// An "address" of a path from here on marks whose addresses follow (PERF_CONTEXT_MAX).
const FIRST_MARK: u64 = -4095i64 as u64;

/// The events and where their values stand.
#[derive(Debug, Clone)]
pub(super) struct Events {
    pub(super) victim: Layout,
    pub(super) signals: std::result::Result<(Layout, Layout), Arc<Error>>,
}

/// One record of a ring, its path still as addresses.
pub(super) struct Sample {
    pub(super) time_ns: u64,
    pub(super) item: TraceItem,
    pub(super) path: Vec<u64>,
}

impl Events {
    pub(super) fn read() -> Result<Events> {
        let tracefs = Tracefs::find()?;
        let layout = |event: &str, needed: &[&str]| {
            let format = read_file(tracefs.root_dir(), &format!("{event}/format"))?;
            Layout::from_format(&format, needed)
                .ok_or_else(|| Error::new(ErrorKind::Unsupported, "read event format", "it lacks a field").path(event))
        };
        let sent = layout(GENERATE, GENERATE_NEEDS);
        let delivered = layout(DELIVER, DELIVER_NEEDS);
        let signals = sent.and_then(|sent| Ok((sent, delivered?))).map_err(Arc::new);
        Ok(Events { victim: layout(VICTIM, VICTIM_NEEDS)?, signals })
    }

    pub(super) fn count(&self) -> usize {
        if self.signals.is_ok() {
            3
        } else {
            1
        }
    }

    fn item(&self, context: &Context<'_>, raw: &[u8]) -> Option<TraceItem> {
        let id = u64::from(u16::from_ne_bytes(raw.get(..2)?.try_into().ok()?));
        if id == self.victim.id {
            return self.victim.of(raw).victim(context).map(TraceItem::Victim);
        }
        match &self.signals {
            Ok((sent, _)) if id == sent.id => Some(TraceItem::Signal(Box::new(sent.of(raw).signal(context)?))),
            Ok((_, delivered)) if id == delivered.id => {
                Some(TraceItem::Delivered(delivered.of(raw).delivered(context)?))
            }
            _ => None,
        }
    }
}

/// The records in the bytes of one ring.
pub(super) fn records(bytes: &[u8], cpu: i32, events: &Events, samples: &mut Vec<Sample>) {
    let mut rest = Words(bytes);
    let cpu = u32::try_from(cpu).unwrap_or_default();
    while let (Some(kind), Some(sizes)) = (rest.u32(), rest.u32()) {
        // The upper half is the size of the whole record with these eight bytes.
        let Some(body) = rest.take(((sizes >> 16) as usize).saturating_sub(8)) else { return };
        let mut body = Words(body);
        match kind {
            RECORD_SAMPLE => samples.push(sample(body, events).unwrap_or_else(|raw| {
                let item = TraceItem::Unparsed(raw);
                Sample { time_ns: crate::sys::monotonic_ns(), item, path: Vec::new() }
            })),
            RECORD_LOST => {
                let _id = body.u64();
                let item = TraceItem::Lost { cpu, events: body.u64() };
                samples.push(Sample { time_ns: 0, item, path: Vec::new() });
            }
            // That the kernel slowed down or began again concerns other kinds of events.
            _ => {}
        }
    }
}

/// One sample: thread, time, CPU, path and the event's own bytes, as they were asked for; or those bytes.
fn sample(mut body: Words<'_>, events: &Events) -> std::result::Result<Sample, Vec<u8>> {
    let whole = body.0;
    let mut read = || {
        let (process, thread) = (body.u32()?, body.u32()?);
        let time_ns = body.u64()?;
        let (cpu, _reserved) = (body.u32()?, body.u32()?);
        let length = body.u64()?;
        let mut path = Vec::new();
        for _ in 0..length {
            path.push(body.u64()?);
        }
        path.retain(|address| *address < FIRST_MARK);
        let size = body.u32()? as usize;
        let raw = body.take(size)?;
        // Only of events that were asked for it.
        let group = body.u64();
        let context = Context { thread: thread as i32, process: Some(process as i32), comm: NAMELESS, time_ns, cpu };
        let mut item = events.item(&context, raw)?;
        if let TraceItem::Signal(signal) = &mut item {
            signal.sender_group = group;
        }
        Some(Sample { time_ns, item, path })
    };
    read().ok_or_else(|| whole.to_vec())
}

/// Numbers one after the other, as this machine has them in memory.
struct Words<'a>(&'a [u8]);

impl<'a> Words<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take(4)?.try_into().ok().map(u32::from_ne_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take(8)?.try_into().ok().map(u64::from_ne_bytes)
    }
}

#[cfg(test)]
mod tests;
