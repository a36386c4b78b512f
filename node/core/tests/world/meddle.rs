//! What happens on the way: records changed or dropped between two nodes, nodes that begin anew.

use std::time::Duration;

use oboro_core::ids::LinkId;
use oboro_core::wire::frame::{Frame, Frames};
use oboro_core::{Event, Node};
use oboro_crypto::record::RECORD_PLAIN;

use super::World;

/// Changes records between two machines: who sends, who is to have them, the records.
pub type Meddle = Box<dyn FnMut(usize, usize, &mut Vec<u8>)>;

/// The kinds of frames that fill or begin a record.
pub const CREATED: u8 = 7;
pub const CELL: u8 = 8;

impl World {
    /// What becomes of records on their way.
    pub(super) fn on_the_way(&mut self, from: usize, to: usize, mut plain: Vec<u8>) -> Vec<u8> {
        if let Some(meddle) = &mut self.meddle {
            meddle(from, to, &mut plain);
        }
        if self.machines[to].drops {
            for cell in cells(&mut plain) {
                cell.fill(0);
            }
        }
        plain
    }

    /// A machine that was killed begins anew with its keys and what it had kept of its guards, and an empty store.
    pub fn restart(&mut self, machine: usize, guards: Option<Vec<u8>>) {
        assert!(!self.machines[machine].alive, "it was killed before");
        let others: Vec<usize> = (0..self.machines.len())
            .filter(|&other| other != machine && self.machines[other].alive)
            .take(1)
            .collect();
        let (config, seed) = self.config(machine, &others, guards);
        let now = self.now;
        let again = &mut self.machines[machine];
        again.node = Node::new(config, seed, now + again.ahead);
        again.alive = true;
        again.woken = None;
        self.push(now, machine, Event::Deadline);
    }

    /// All links between two machines break.
    pub fn cut(&mut self, one: usize, other: usize) {
        let between: Vec<(LinkId, LinkId)> = self.machines[one]
            .links
            .iter()
            .filter(|(_, (to, _))| *to == other)
            .map(|(&mine, &(_, theirs))| (mine, theirs))
            .collect();
        for (mine, theirs) in between {
            self.machines[one].links.remove(&mine);
            self.machines[other].links.remove(&theirs);
            self.push(self.now, one, Event::LinkDown { link: mine });
            self.push(self.now, other, Event::LinkDown { link: theirs });
        }
    }

    /// Everybody knows everybody, has chosen a guard, and has circuits ready.
    pub fn settle_circuits(&mut self) {
        self.settle();
        let ready = self.run_until(Duration::from_secs(60), |world| {
            world.machines.iter().all(|machine| {
                !machine.alive
                    || machine.node.standing(world.now).circuits_ready
                        == oboro_core::limits::CIRCUITS_READY
            })
        });
        assert!(ready, "circuits are built");
    }

    /// Which machine is another's guard now.
    pub fn guard_of(&self, machine: usize) -> usize {
        let guard = self.machines[machine].node.standing(self.now).guard;
        let guard = guard.expect("it has a guard");
        self.machine_of(&guard.node)
    }

    /// Which machine has this id.
    pub fn machine_of(&self, id: &oboro_crypto::ids::NodeId) -> usize {
        let found = self.machines.iter().position(|other| other.id == *id);
        found.expect("a machine")
    }
}

/// The records that are cells.
pub fn cells(plain: &mut [u8]) -> impl Iterator<Item = &mut [u8]> {
    plain
        .chunks_mut(RECORD_PLAIN)
        .filter(|record| record[0] == CELL)
}

/// Takes everything that is said of circuits out of records, but not what is said beside it.
pub fn blank_circuits(plain: &mut [u8]) {
    keep_frames(plain, |frame| {
        !matches!(
            frame,
            Frame::Create(..) | Frame::Created(..) | Frame::Cell(..) | Frame::Destroy(_)
        )
    });
}

/// Takes everything that is said of streams out of records.
pub fn blank_streams(plain: &mut [u8]) {
    keep_frames(plain, |frame| {
        !matches!(
            frame,
            Frame::Open(_) | Frame::Data(..) | Frame::Credit(..) | Frame::Close(..)
        )
    });
}

fn keep_frames(plain: &mut [u8], is_kept: fn(&Frame<'_>) -> bool) {
    for record in plain.chunks_mut(RECORD_PLAIN) {
        let mut kept = Vec::new();
        let mut frames = Frames::new(record);
        while let Ok(Some(frame)) = frames.next_frame() {
            if is_kept(&frame) {
                frame.write(&mut kept);
            }
        }
        kept.resize(RECORD_PLAIN, 0);
        record.copy_from_slice(&kept);
    }
}

/// Makes every cell a notice that its circuit is over.
pub fn destroy_all(plain: &mut [u8]) {
    replace_by_notices(plain, |frame| match frame {
        Frame::Cell(number, _) => Some(*number),
        _ => None,
    });
}

/// The same with answers to creates too. Says which circuits were named.
pub fn end_circuits(plain: &mut [u8]) -> Vec<u32> {
    replace_by_notices(plain, |frame| match frame {
        Frame::Cell(number, _) | Frame::Created(number, _) => Some(*number),
        _ => None,
    })
}

fn replace_by_notices(plain: &mut [u8], ends: fn(&Frame<'_>) -> Option<u32>) -> Vec<u32> {
    let mut ended = Vec::new();
    for record in plain.chunks_mut(RECORD_PLAIN) {
        let first = Frames::new(record).next_frame();
        let Some(number) = first.ok().flatten().as_ref().and_then(ends) else {
            continue;
        };
        let mut notice = Vec::new();
        Frame::Destroy(number).write(&mut notice);
        notice.resize(RECORD_PLAIN, 0);
        record.copy_from_slice(&notice);
        ended.push(number);
    }
    ended
}
