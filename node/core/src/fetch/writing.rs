//! From verified leaves to what the sink is told.

use super::tree::Part;
use crate::action::{Action, SinkCommand};
use crate::effect::Ctx;
use crate::ids::JobId;

/// Hands verified leaves to the sink, one write for each run of neighbours. Says how many writes.
pub(super) fn write_leaves(
    job: JobId,
    part: &Part,
    batch: Vec<(u8, Vec<u8>)>,
    ctx: &mut Ctx<'_>,
) -> u32 {
    let mut writes = 0;
    let mut batch = batch.into_iter().peekable();
    while let Some((first, block)) = batch.next() {
        let mut leaves = Vec::new();
        let mut index = first;
        let mut block = Some(block);
        while let Some(body) = block.take() {
            if let Some(pair) = part.pairs.get(usize::from(index)) {
                leaves.push((body, pair.key.duplicate()));
            }
            if let Some((next, body)) = batch.next_if(|(next, _)| *next == index + 1) {
                index = next;
                block = Some(body);
            }
        }
        let last = part.last && usize::from(index) + 1 == part.pairs.len();
        let command = SinkCommand::Write {
            first_leaf: part.first + u64::from(first),
            leaves,
            last,
        };
        ctx.act(Action::Sink { job, command });
        writes += 1;
    }
    writes
}
