//! The one door to the collector: every sign comes in here, and nothing else changes what it knows.

use super::claims::Last;
use super::{within, Collector, COMPLETE_WITHIN};
use crate::account::growth::Growth;
use crate::account::scene::{worker, Scene, WorkerSeen};
use crate::account::sign::{Sign, Told};

impl Collector {
    /// Takes a sign, and says what has become known by it.
    pub(crate) fn take(&mut self, sign: Sign, scene: &dyn Scene) -> Told {
        let mut told = Told::default();
        match sign {
            Sign::Begins { whole } => self.growth = Growth::since(scene.now_ns(), whole, scene.page_bytes()),
            Sign::Started { pid, comm, cgroup, started_ns } => {
                self.started(pid, started_ns);
                self.growth.born(pid, &comm, &cgroup, started_ns);
            }
            Sign::Looked { cgroup, inputs, time_ns } => self.growth.saw_all(&cgroup, &inputs, time_ns),
            Sign::Sampled { cgroup, contents } => self.sampled(&cgroup, contents),
            Sign::Before { cgroup, scope } => self.before(&cgroup, scope.map(|scope| *scope), scene),
            Sign::Met { cgroup, counters } => self.meet(&cgroup, counters.as_ref(), scene.now_ns()),
            Sign::Began { cgroup, counters } => self.began(&cgroup, counters, scene.now_ns()),
            Sign::Forgotten { cgroup } => self.forget(&cgroup),
            Sign::Stepped { pid, end_ns } => self.stepped(pid, end_ns),
            Sign::Held { cgroup, contents, below } => self.notified(&cgroup, contents, below, scene),
            Sign::Rang => self.rung_ns = Some(scene.now_ns()),
            Sign::Moved => self.stirred.all = true,
            Sign::Stirred { cgroup, below } => self.stir(cgroup, below),
            Sign::Reading => self.reads(scene.now_ns()),
            Sign::Thread { thread, process } => self.note_thread(thread, process),
            Sign::Traced { victim, whose } => self.traced(*victim, whose, scene),
            Sign::Stood { pid, cgroup, by_parent, time_ns } => self.stood(pid, cgroup, by_parent, time_ns, scene),
            Sign::Signalled { pid, comm, invoker, time_ns, whose } => {
                self.signalled(pid, comm, (invoker, time_ns), whose, scene);
            }
            Sign::Lost { source, count } => {
                // What was lost may have told of a kill in any group.
                self.stirred.all = true;
                self.lost(source, count, scene.now_ns());
            }
            Sign::Logged { records } => {
                self.look_again = false;
                // One that had ended well before these lines were printed has left its pid to another.
                let read_before_ns = self.read_before_ns;
                let still = |(_, ended_ns)| within(COMPLETE_WITHIN, ended_ns, read_before_ns);
                let lived = |worker: &WorkerSeen| worker.exit.is_none_or(still);
                let known = |pid: i32| worker(scene, pid).filter(lived).map(|worker| worker.group);
                told.records = self.logged(records, &scene.groups(), &known, scene);
            }
            Sign::Gone { cgroup, rung } => {
                self.count_rings(&cgroup, rung, scene.now_ns());
                self.claim(scene, Last::No);
            }
            Sign::Concludes { cgroup } => {
                self.claim(scene, Last::Of(cgroup.as_deref()));
                self.hurried = cgroup;
            }
            Sign::Concluded => self.hurried = None,
            Sign::Seal => self.seal(scene),
            Sign::Settle => told.ooms = self.settle(scene),
            Sign::Blocked { cgroup, blocked } => told.ooms.push(self.blocked(&cgroup, blocked, scene)),
        }
        told
    }
}
