//! An account in two or three plain sentences: what filled the limit, who grew, why this one died, what would have helped.

use super::findings::findings;
use super::oom::Oom;
use crate::memcg::limits::human_size;
use crate::text::named;

/// Findings that say what filled the limit: with one of them at the head nothing needs to be said before.
const FILLS: [&str; 9] = [
    "shared-memory",
    "kernel-memory",
    "one-process-grew",
    "grower-survived",
    "many-processes",
    "limit-below-start",
    "limit-lowered",
    "neighbour-filled-it",
    "page-cache-stuck",
];
/// Findings that are true and explain nothing by themselves.
const BESIDE: [&str; 3] = ["no-swap", "huge-pages", "repeated"];
/// Of the findings, so many texts are said.
const MOST_TEXTS: usize = 2;

impl Oom {
    /// The same with its findings and its summary, which are worked out from all the rest.
    pub(crate) fn explained(mut self) -> Oom {
        self.findings = findings(&self);
        self.summary = summary(&self);
        self
    }
}

/// The summary of an account whose findings are there.
fn summary(oom: &Oom) -> String {
    let mut sentences = Vec::new();
    let texts = oom.findings.iter().filter(|finding| !BESIDE.contains(&finding.code)).take(MOST_TEXTS);
    if !texts.clone().any(|finding| FILLS.contains(&finding.code)) {
        sentences.push(filled(oom));
    }
    sentences.extend(texts.map(|finding| finding.text.clone()));
    sentences.truncate(MOST_TEXTS);
    if let Some(remedy) = oom.findings.iter().find_map(|finding| finding.remedy.as_ref()) {
        sentences.push(format!("What would help: {remedy}."));
    }
    sentences.join(" ")
}

/// What filled the limit, by the largest part of the composition.
fn filled(oom: &Oom) -> String {
    let group = oom.limit_group.as_deref().unwrap_or("a group that no source names");
    let limit = oom.limit_bytes.map_or("The limit".to_string(), |bytes| format!("The limit of {}", human_size(bytes)));
    let victim = oom.victim().map(|victim| format!("; the kernel killed {}", named(&victim.comm, victim.pid)));
    let victim = victim.unwrap_or_default();
    let Some(made) = &oom.composition else {
        return format!("{limit} of {group} was hit{victim}; what filled it could not be read.");
    };
    let parts = [
        ("anonymous memory", made.anon_bytes),
        ("page cache", made.file_bytes),
        ("shared memory", made.shmem_bytes),
        ("memory of the kernel", made.kernel_bytes),
        ("buffers of sockets", made.sock_bytes),
    ];
    let most = parts.iter().filter_map(|(name, bytes)| Some((*name, (*bytes)?))).max_by_key(|part| part.1);
    let most = most.map_or(String::new(), |(name, bytes)| format!(", {} of it {name}", human_size(bytes)));
    format!("{limit} of {group} was full{most}{victim}.")
}
