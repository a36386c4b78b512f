//! Actions as bytes, so that two runs can be compared in one digest. Says everything that is not a secret of its own.

use oboro_core::action::{Action, SinkCommand, SourceCommand, StoreRequest, Task};
use oboro_core::{Failure, Report};
use oboro_crypto::hash::blake2b_256;

/// The digest after one more action.
pub fn link(before: &[u8; 32], machine: usize, action: &Action) -> [u8; 32] {
    let mut bytes = before.to_vec();
    put(&mut bytes, machine as u64);
    describe(action, &mut bytes);
    blake2b_256(&bytes)
}

fn put(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(&number.to_be_bytes());
}

fn describe(action: &Action, out: &mut Vec<u8>) {
    match action {
        Action::Dial {
            dial,
            remote,
            addresses,
        } => {
            put(out, dial.0);
            out.extend_from_slice(&remote.0);
            out.extend_from_slice(format!("{addresses:?}").as_bytes());
        }
        Action::Close { link } => put(out, link.0),
        Action::Send { link, plain } => {
            put(out, link.0);
            out.extend_from_slice(plain);
        }
        Action::Store { ticket, request } => {
            put(out, ticket.0);
            store(request, out);
        }
        Action::Compute { ticket, task } => {
            put(out, ticket.0);
            match task {
                Task::Token(term) => out.extend_from_slice(term.as_str().as_bytes()),
                Task::NodeId(identity) => out.extend_from_slice(&identity.0),
                Task::Entry {
                    index,
                    expires_day,
                    seed,
                    ..
                } => {
                    put(out, u64::from(*index));
                    put(out, u64::from(*expires_day));
                    out.extend_from_slice(seed);
                }
            }
        }
        Action::Source { job, command } => {
            put(out, job.0);
            out.push(u8::from(*command == SourceCommand::Next));
        }
        Action::Sink { job, command } => {
            put(out, job.0);
            sink(command, out);
        }
        Action::Guards(bytes) => out.extend_from_slice(bytes),
        Action::Report { job, report } => {
            put(out, job.0);
            say(report, out);
        }
    }
}

pub(super) fn store(request: &StoreRequest, out: &mut Vec<u8>) {
    match request {
        StoreRequest::PutExtent {
            location,
            references,
            chunks,
            today,
            ..
        } => {
            out.extend_from_slice(&location.0);
            put(out, u64::from(*today));
            references
                .iter()
                .for_each(|reference| out.extend_from_slice(&reference.0));
            chunks.iter().for_each(|chunk| out.extend_from_slice(chunk));
        }
        StoreRequest::Extent(location) => out.extend_from_slice(&location.0),
        StoreRequest::Walk { after, max } => {
            out.extend_from_slice(after.as_deref().unwrap_or_default());
            put(out, *max as u64);
        }
        StoreRequest::Tally(all) => all.iter().for_each(|at| out.extend_from_slice(&at.0)),
        StoreRequest::Names(location) => out.extend_from_slice(&location.0),
        StoreRequest::Read { location, indexes } | StoreRequest::Copy { location, indexes } => {
            out.extend_from_slice(&location.0);
            out.extend_from_slice(indexes);
        }
        StoreRequest::PutEntry {
            location, bytes, ..
        } => {
            out.extend_from_slice(&location.0);
            out.extend_from_slice(bytes);
        }
        StoreRequest::Entries {
            location,
            after,
            max,
        } => {
            out.extend_from_slice(&location.0);
            out.extend_from_slice(&after.unwrap_or_default());
            put(out, *max as u64);
        }
        StoreRequest::PutDescriptors(all) => {
            all.iter()
                .for_each(|(_, bytes)| out.extend_from_slice(bytes));
        }
        StoreRequest::ForgetDescriptors(all) => {
            all.iter().for_each(|id| out.extend_from_slice(&id.0));
        }
        StoreRequest::Descriptors => out.push(1),
        StoreRequest::Expire { today } => put(out, u64::from(*today)),
    }
}

fn sink(command: &SinkCommand, out: &mut Vec<u8>) {
    match command {
        SinkCommand::Write {
            first_leaf, leaves, ..
        } => {
            put(out, *first_leaf);
            leaves
                .iter()
                .for_each(|(block, _)| out.extend_from_slice(block));
        }
        SinkCommand::Checkpoint(bytes) => out.extend_from_slice(bytes),
        SinkCommand::Recover(wish) => {
            put(out, wish.group.number);
            for (number, blocks) in &wish.parity {
                put(out, *number);
                blocks
                    .iter()
                    .for_each(|(block, _)| out.extend_from_slice(block));
            }
        }
        SinkCommand::Finish => out.push(2),
        SinkCommand::Stop { keep } => out.push(u8::from(*keep)),
    }
}

fn say(report: &Report, out: &mut Vec<u8>) {
    match report {
        Report::Progress(progress) => out.extend_from_slice(format!("{progress:?}").as_bytes()),
        Report::Published {
            capability,
            summary,
            route: _,
        } => {
            out.extend_from_slice(&capability.to_bytes());
            out.extend_from_slice(format!("{summary:?}").as_bytes());
        }
        Report::Found {
            hits,
            asked,
            answered,
            last,
            route: _,
        } => {
            for hit in hits {
                out.extend_from_slice(hit.title.as_bytes());
                out.extend_from_slice(&hit.capability.to_bytes());
            }
            put(out, u64::from(*asked));
            put(out, u64::from(*answered));
            out.push(u8::from(*last));
        }
        Report::Fetched { length, .. } => put(out, *length),
        Report::Failed(failure) => {
            let failure: &Failure = failure;
            out.extend_from_slice(format!("{failure:?}").as_bytes());
        }
    }
}
