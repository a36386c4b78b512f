//! What hostile nodes do with what goes through them. They run the real core, so that they are taken for honest, and
//! break their word where it counts.

use std::time::Duration;

use oboro_core::Event;
use oboro_core::action::StoreRequest;
use oboro_core::event::{PutOutcome, StoreOutcome};
use oboro_core::wire::frame::{Frame, Frames};
use oboro_crypto::record::RECORD_PLAIN;

use crate::scenario::Kind;

/// How much later than others it does everything.
pub(super) fn delay(kind: Option<Kind>) -> Duration {
    match kind {
        Some(Kind::SlowLoris) => Duration::from_secs(3),
        _ => Duration::ZERO,
    }
}

/// What of an event the node gets to see.
pub(super) fn incoming(kind: Option<Kind>, event: Event) -> Option<Event> {
    match (kind, event) {
        (Some(kind @ (Kind::Dropper | Kind::SelectiveDropper)), Event::Records { link, plain }) => {
            if kind == Kind::SelectiveDropper && link.0 % 4 < 2 {
                return Some(Event::Records { link, plain });
            }
            let plain = plain.chunks(RECORD_PLAIN).flat_map(without_cells).collect();
            Some(Event::Records { link, plain })
        }
        (_, event) => Some(event),
    }
}

/// The same record without the cells in it.
fn without_cells(record: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(RECORD_PLAIN);
    let mut frames = Frames::new(record);
    while let Ok(Some(frame)) = frames.next_frame() {
        if !matches!(frame, Frame::Cell(..)) {
            frame.write(&mut out);
        }
    }
    out.resize(RECORD_PLAIN, 0);
    out
}

/// What is asked of its store: passed on, answered without asking (`Err`), or never answered (`None`).
pub(super) fn asked(
    kind: Option<Kind>,
    request: StoreRequest,
) -> Option<Result<StoreRequest, StoreOutcome>> {
    let Some(kind) = kind else {
        return Some(Ok(request));
    };
    let reads = matches!(
        request,
        StoreRequest::Extent(_) | StoreRequest::Read { .. } | StoreRequest::Entries { .. }
    );
    match (kind, &request) {
        (Kind::Dropper, _) if reads => None,
        (Kind::Forgetter, StoreRequest::PutExtent { .. } | StoreRequest::PutEntry { .. }) => {
            Some(Err(StoreOutcome::Put(PutOutcome::Stored)))
        }
        (Kind::Denier | Kind::Sybil, StoreRequest::Extent(_)) => {
            Some(Err(StoreOutcome::Extent(None)))
        }
        (Kind::Denier | Kind::Sybil, StoreRequest::Entries { .. }) => {
            Some(Err(StoreOutcome::Entries(Vec::new())))
        }
        _ => Some(Ok(request)),
    }
}

/// What it makes of its store's answers.
pub(super) fn answered(kind: Option<Kind>, mut outcome: StoreOutcome) -> StoreOutcome {
    if kind == Some(Kind::Poisoner) {
        match &mut outcome {
            StoreOutcome::Chunks(chunks) => {
                for chunk in chunks.iter_mut().flatten() {
                    chunk[100] ^= 1;
                }
            }
            StoreOutcome::Entries(entries) => {
                for (_, entry) in entries {
                    if let Some(byte) = entry.last_mut() {
                        *byte ^= 1;
                    }
                }
            }
            _ => {}
        }
    }
    outcome
}
