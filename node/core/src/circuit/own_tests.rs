//! How a circuit of this node's own is known to hold, and when it is over.

use oboro_crypto::circuit::{BACKWARD_PAYLOAD, CELL_LEN};

use super::*;
use crate::link::hop_for_tests;
use crate::wire::cell::CellFrame;

const START: Time = Time::from_secs(1_000);

/// Layers that hide nothing.
struct Plain;

impl Building for Plain {
    fn finish(self: Box<Self>, created: &[u8]) -> Result<Box<dyn ClientLayers>, CircuitError> {
        if created.is_empty() {
            return Err(CircuitError::Size);
        }
        Ok(self)
    }
}

impl ClientLayers for Plain {
    fn seal(&mut self, payload: &[u8], out: &mut Vec<u8>) -> Result<(), CircuitError> {
        out.extend_from_slice(payload);
        out.resize(CELL_LEN, 0);
        Ok(())
    }

    fn open<'c>(&mut self, cell: &'c mut [u8]) -> Result<&'c [u8], CircuitError> {
        cell.get(..BACKWARD_PAYLOAD).ok_or(CircuitError::Size)
    }
}

fn building() -> Own {
    let path = vec![NodeId([1; 32]), NodeId([2; 32]), NodeId([3; 32])];
    Own::new(path, hop_for_tests(1), Box::new(Plain), None, START)
}

/// A ready one with a round trip of 100 ms.
fn ready() -> (Own, Time) {
    let (mut own, now) = (building(), START + Duration::from_millis(100));
    assert_eq!(own.created(&[1], now), Ok(Duration::from_millis(100)));
    (own, now)
}

fn with_stream() -> (Own, Time) {
    let (mut own, now) = ready();
    let number = own.end.open(NodeId([9; 32]));
    let stream = StreamId::Circuit(1);
    own.streams.insert(number, stream);
    (own, now)
}

fn cell(frame: CellFrame<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    frame.write(&mut out);
    out.resize(CELL_LEN, 0);
    out
}

#[test]
fn one_that_is_not_built_in_time_has_failed() {
    let own = building();
    let soon = START + BUILD_PATIENCE - Duration::from_millis(1);
    assert_eq!(
        (own.due(soon), own.due(START + BUILD_PATIENCE)),
        (Due::Nothing, Due::Fail(Cause::Silent))
    );
}

#[test]
fn a_second_or_a_wrong_answer_breaks_it() {
    let (mut own, now) = ready();
    assert!(own.created(&[1], now).is_err());
    assert_eq!(own.due(now), Due::Fail(Cause::Broken));
    let mut own = building();
    assert!(own.created(&[], now).is_err());
    assert_eq!(own.due(now), Due::Fail(Cause::Broken));
    assert!(
        building().cell(cell(CellFrame::Window(1)), now).is_none(),
        "a cell before the answer"
    );
}

#[test]
fn one_without_streams_is_closed_when_it_is_idle_or_old() {
    let (mut own, now) = ready();
    assert_eq!(
        own.due(now + CIRCUIT_IDLE - Duration::from_secs(1)),
        Due::Nothing
    );
    assert_eq!(own.due(now + CIRCUIT_IDLE), Due::Close);
    let later = START + CIRCUIT_LIFE - Duration::from_secs(1);
    own.cell(cell(CellFrame::Window(1)), later).unwrap();
    assert_eq!(own.due(later), Due::Nothing);
    assert!(own.may_take(&NodeId([9; 32]), later));
    assert!(
        !own.may_take(&NodeId([2; 32]), later),
        "not to one of its own relays"
    );
    assert_eq!(own.due(START + CIRCUIT_LIFE), Due::Close);
    assert!(!own.may_take(&NodeId([9; 32]), START + CIRCUIT_LIFE));
}

#[test]
fn one_with_streams_is_kept_however_old_and_takes_no_more() {
    let (mut own, _) = with_stream();
    let late = START + CIRCUIT_LIFE * 2;
    own.cell(cell(CellFrame::Window(1)), late).unwrap();
    assert_eq!(own.due(late), Due::Nothing);
    assert!(!own.may_take(&NodeId([9; 32]), late));
}

#[test]
fn one_that_is_silent_is_probed_and_then_given_up() {
    let (mut own, now) = with_stream();
    let asks = now + PROBE_AFTER + Duration::from_millis(200);
    assert_eq!(own.due(asks - Duration::from_millis(1)), Due::Nothing);
    assert_eq!(own.due(asks), Due::Probe);
    own.probe(42, asks);
    let over = asks + PROBE_PATIENCE + Duration::from_millis(400);
    assert_eq!(own.due(over - Duration::from_millis(1)), Due::Nothing);
    assert_eq!(own.due(over), Due::Fail(Cause::Silent));
}

#[test]
fn an_echo_or_anything_else_says_that_it_holds() {
    for frame in [
        CellFrame::Echo(42),
        CellFrame::Echo(41),
        CellFrame::Window(3),
    ] {
        let (mut own, now) = with_stream();
        let asks = now + PROBE_AFTER + Duration::from_millis(200);
        own.probe(42, asks);
        let heard = asks + Duration::from_millis(300);
        own.cell(cell(frame), heard).unwrap();
        assert_eq!(
            own.due(asks + PROBE_PATIENCE + Duration::from_millis(400)),
            Due::Probe,
            "{frame:?}"
        );
        assert_eq!(
            own.due(heard + Duration::from_millis(900)),
            Due::Nothing,
            "{frame:?}"
        );
        // The next probe is given up like the first.
        let again = heard + Duration::from_secs(3);
        own.probe(43, again);
        assert_eq!(
            own.due(again + Duration::from_secs(60)),
            Due::Fail(Cause::Silent)
        );
    }
}
