//! Two ends of one circuit, face to face: what one packs the other reads.

use oboro_crypto::circuit::{BACKWARD_PAYLOAD, FORWARD_PAYLOAD};
use proptest::prelude::*;

use super::*;
use crate::limits::STREAM_WINDOW;

const NOW: Time = Time::from_secs(1);
const NODE: NodeId = NodeId([3; 32]);

fn client() -> End {
    End::new(Side::Client, Class::Own)
}

fn exit() -> End {
    End::new(Side::Exit, Class::Relay)
}

/// A payload as it comes out of a cell: zeros to its end.
fn cell(frames: &[CellFrame<'_>], room: usize) -> Vec<u8> {
    let mut out = Vec::new();
    frames.iter().for_each(|frame| frame.write(&mut out));
    assert!(out.len() <= room);
    out.resize(room, 0);
    out
}

/// Hands over what one end says, at most so many cells; says what the other makes of it, and how many there were.
fn carry(from: &mut End, to: &mut End, room: usize, most: usize) -> (Vec<EndEvent>, usize) {
    let mut events = Vec::new();
    for count in 0..most {
        let Some(mut payload) = from.pack(room) else {
            return (events, count);
        };
        assert!(payload.len() <= room, "what is packed fits");
        payload.resize(room, 0);
        events.extend(to.read(&payload).expect("an honest end is understood"));
    }
    (events, most)
}

/// What an end has on the way towards it, if the other keeps to its window.
fn says(end: &mut End, frames: &[CellFrame<'_>]) -> Result<Vec<EndEvent>, WireError> {
    let room = if end.side == Side::Exit {
        FORWARD_PAYLOAD
    } else {
        BACKWARD_PAYLOAD
    };
    end.read(&cell(frames, room))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn bytes_of_all_streams_arrive_in_order_both_ways(
        lengths in proptest::collection::vec((0usize..900_000, 0usize..900_000), 1..6),
        pieces in 1usize..60_000,
        cells in 1usize..40,
        taken in 300usize..400_000,
        lazy in 1usize..4,
    ) {
        let (mut client, mut exit) = (client(), exit());
        let bytes = |length: usize, seed: usize| -> Vec<u8> {
            (0..length).map(|i| (i * 31 + seed * 7 + (i >> 9)) as u8).collect()
        };
        let mut numbers = Vec::new();
        for (index, (forward, backward)) in lengths.iter().enumerate() {
            let number = client.open(NODE);
            for piece in bytes(*forward, index).chunks(pieces) {
                client.write(number, piece.to_vec());
            }
            numbers.push((number, index, *forward, *backward));
        }
        let mut got: Vec<(Vec<u8>, Vec<u8>)> = vec![Default::default(); lengths.len()];
        let (mut closed, mut quiet) = (0, 0);
        for round in 0.. {
            let (events, forth) = carry(&mut client, &mut exit, FORWARD_PAYLOAD, cells);
            for event in events {
                if let EndEvent::Begun(number, node) = event {
                    prop_assert_eq!(node, NODE);
                    let (_, index, _, backward) = numbers[number as usize - 1];
                    for piece in bytes(backward, index + 100).chunks(pieces) {
                        exit.write(number, piece.to_vec());
                    }
                    exit.close(number, CloseReason::Done, NOW);
                }
            }
            let (events, back) = carry(&mut exit, &mut client, BACKWARD_PAYLOAD, cells);
            for event in events {
                if let EndEvent::Closed(number, clean) = event {
                    prop_assert!(clean);
                    // What came before the end can still be read.
                    got[number as usize - 1].1.extend_from_slice(client.peek(number));
                    client.discard(number);
                    closed += 1;
                }
            }
            let mut took = 0;
            if round % lazy == 0 {
                for &(number, index, ..) in &numbers {
                    let waiting = client.peek(number);
                    let length = waiting.len().min(taken);
                    got[index].1.extend_from_slice(&waiting[..length]);
                    client.take(number, length);
                    took += length;
                }
            }
            prop_assert!(exit.may_receive <= CIRCUIT_WINDOW_MAX && client.may_receive <= CIRCUIT_WINDOW_MAX);
            prop_assert!(exit.may_send <= CIRCUIT_WINDOW_MAX && client.may_send <= CIRCUIT_WINDOW_MAX);
            for end in [&client, &exit] {
                prop_assert!(end.held().1 <= lengths.len() * STREAM_WINDOW as usize);
                prop_assert!(end.urgent.len() <= URGENT_MAX);
            }
            if closed == lengths.len() {
                break;
            }
            quiet = if forth + back + took == 0 { quiet + 1 } else { 0 };
            prop_assert!(quiet <= 2 * lazy, "nobody waits for the other for ever");
        }
        for &(_, index, _, backward) in &numbers {
            prop_assert!(got[index].1 == bytes(backward, index + 100), "stream {}", index);
        }
        prop_assert_eq!(client.streams.len() + exit.streams.len(), 0, "nothing is left of streams that are over");
        prop_assert!(client.targets.is_empty());
    }

    #[test]
    fn what_a_client_writes_arrives_in_order_at_an_exit_that_takes_slowly(
        lengths in proptest::collection::vec(1usize..900_000, 1..5), taken in 300usize..300_000, cells in 1usize..400
    ) {
        let (mut client, mut exit) = (client(), exit());
        let sent: Vec<Vec<u8>> = lengths
            .iter()
            .map(|&length| (0..length).map(|i| (i % 253) as u8).collect())
            .collect();
        for bytes in &sent {
            let number = client.open(NODE);
            client.write(number, bytes.clone());
        }
        let mut got = vec![Vec::new(); sent.len()];
        let mut quiet = 0;
        while got != sent {
            let (_, forth) = carry(&mut client, &mut exit, FORWARD_PAYLOAD, cells);
            let mut took = 0;
            for (index, got) in got.iter_mut().enumerate() {
                let number = index as u32 + 1;
                let waiting = exit.peek(number);
                prop_assert!(waiting.len() <= STREAM_WINDOW as usize);
                let length = waiting.len().min(taken);
                got.extend_from_slice(&waiting[..length]);
                exit.take(number, length);
                took += length;
            }
            let (_, back) = carry(&mut exit, &mut client, BACKWARD_PAYLOAD, 8);
            quiet = if forth + back + took == 0 { quiet + 1 } else { 0 };
            prop_assert!(quiet <= 2, "no deadlock");
        }
    }

    #[test]
    fn whatever_is_in_cells_an_end_holds_no_more_than_its_windows(
        kinds in proptest::collection::vec((1u8..8, 0u32..6, 1u32..400_000), 1..400), exits: bool
    ) {
        let mut end = if exits { exit() } else { client() };
        if !exits {
            (0..3).for_each(|_| assert!(end.open(NODE) > 0));
        }
        let data = vec![5; 4_000];
        for (kind, number, amount) in kinds {
            let frame = match kind {
                1 => CellFrame::Begin(number, NODE),
                2 => CellFrame::Data(number, &data[..(amount as usize).min(4_000)]),
                3 => CellFrame::Credit(number, amount),
                4 => CellFrame::Close(number, CloseReason::Done),
                5 => CellFrame::Window(amount % 300 + 1),
                6 => CellFrame::Probe(u64::from(amount)),
                _ => CellFrame::Echo(u64::from(amount)),
            };
            if says(&mut end, &[frame]).is_err() {
                break;
            }
            prop_assert!(end.held().1 <= end.streams.len() * STREAM_WINDOW as usize);
            prop_assert!(end.may_send <= CIRCUIT_WINDOW_MAX);
            prop_assert!(end.urgent.len() <= URGENT_MAX + 1);
        }
    }
}

#[test]
fn no_more_cells_are_packed_than_the_window_allows() {
    let (mut client, mut exit) = (client(), exit());
    for _ in 0..8 {
        let number = client.open(NODE);
        client.write(number, vec![1; STREAM_WINDOW as usize]);
    }
    let mut sent = 0;
    while let Some(mut payload) = client.pack(FORWARD_PAYLOAD) {
        payload.resize(FORWARD_PAYLOAD, 0);
        exit.read(&payload).unwrap();
        sent += 1;
        assert!(sent <= CIRCUIT_WINDOW, "without a word from the other side");
    }
    assert_eq!(sent, CIRCUIT_WINDOW);
    // What is not data still goes, and so does the rest when the other side has said so.
    client.probe(7);
    assert!(client.pack(FORWARD_PAYLOAD).is_some());
    assert!(client.pack(FORWARD_PAYLOAD).is_none());
    carry(&mut exit, &mut client, BACKWARD_PAYLOAD, 4);
    assert!(client.pack(FORWARD_PAYLOAD).is_some());
}

#[test]
fn a_wider_window_is_granted_once_and_kept_to_its_bound() {
    let (mut client, mut exit) = (client(), exit());
    for _ in 0..6 {
        client.widen();
        carry(&mut client, &mut exit, FORWARD_PAYLOAD, 4);
    }
    assert_eq!(client.window(), CIRCUIT_WINDOW_MAX);
    assert_eq!(
        (client.may_receive, exit.may_send),
        (CIRCUIT_WINDOW_MAX, CIRCUIT_WINDOW_MAX)
    );
}

#[test]
fn more_than_was_granted_is_refused() {
    let mut end = exit();
    says(&mut end, &[CellFrame::Begin(1, NODE)]).unwrap();
    let full = vec![0; 4_000];
    let mut sent = 0;
    let error = loop {
        match says(&mut end, &[CellFrame::Data(1, &full)]) {
            Ok(_) => sent += full.len(),
            Err(error) => break error,
        }
    };
    assert_eq!(error, WireError::TooLong);
    assert!(sent <= STREAM_WINDOW as usize && sent + full.len() > STREAM_WINDOW as usize);
    // A credit beyond a whole window, and a window beyond the widest.
    for frames in [
        [CellFrame::Begin(1, NODE), CellFrame::Credit(1, 1)],
        [CellFrame::Begin(1, NODE), CellFrame::Credit(1, u32::MAX)],
        [
            CellFrame::Begin(1, NODE),
            CellFrame::Window(CIRCUIT_WINDOW_MAX - CIRCUIT_WINDOW + 1),
        ],
        [
            CellFrame::Window(CIRCUIT_WINDOW_MAX - CIRCUIT_WINDOW),
            CellFrame::Window(u32::MAX),
        ],
    ] {
        assert_eq!(
            says(&mut exit(), &frames),
            Err(WireError::TooLong),
            "{frames:?}"
        );
    }
}

#[test]
fn a_client_that_does_not_count_its_cells_is_refused() {
    // The windows of streams that nobody reads are small beside the circuit's when there are many.
    let mut end = exit();
    end.may_receive = 3;
    end.window = 3;
    for number in 1..=3 {
        // As if no window could be granted again.
        end.window = 0;
        says(&mut end, &[CellFrame::Begin(number, NODE)]).unwrap();
    }
    assert_eq!(
        says(&mut end, &[CellFrame::Begin(4, NODE)]),
        Err(WireError::TooLong)
    );
}

#[test]
fn numbers_of_streams_are_used_once_and_in_order() {
    for (first, second) in [(1, 1), (5, 4), (5, 5), (2, 0)] {
        let mut end = exit();
        says(&mut end, &[CellFrame::Begin(first, NODE)]).unwrap();
        end.discard(first);
        assert_eq!(
            says(&mut end, &[CellFrame::Begin(second, NODE)]),
            Err(WireError::Invalid)
        );
    }
    assert_eq!(
        says(&mut exit(), &[CellFrame::Begin(0, NODE)]),
        Err(WireError::Invalid)
    );
    assert_eq!(
        says(&mut exit(), &[CellFrame::Begin(u32::MAX, NODE)]),
        Err(WireError::Invalid)
    );
    let mut end = exit();
    says(&mut end, &[CellFrame::Begin(u32::MAX - 1, NODE)]).unwrap();
    assert!(says(&mut end, &[CellFrame::Begin(1, NODE)]).is_err());
}

#[test]
fn frames_of_the_wrong_side_are_refused() {
    for frame in [CellFrame::Begin(1, NODE), CellFrame::Probe(1)] {
        assert_eq!(says(&mut client(), &[frame]), Err(WireError::Invalid));
    }
    assert_eq!(
        says(&mut exit(), &[CellFrame::Echo(1)]),
        Err(WireError::Invalid)
    );
}

#[test]
fn who_probes_and_does_not_listen_is_refused() {
    let mut end = exit();
    let mut taken = 0;
    while says(&mut end, &[CellFrame::Probe(taken)]).is_ok() {
        taken += 1;
        assert!(taken <= URGENT_MAX as u64);
    }
    assert_eq!(taken, URGENT_MAX as u64);
    // One who listens may go on asking.
    let mut end = exit();
    for nonce in 0..10 * URGENT_MAX as u64 {
        says(&mut end, &[CellFrame::Probe(nonce)]).unwrap();
        assert!(end.pack(BACKWARD_PAYLOAD).is_some());
    }
}

#[test]
fn who_begins_streams_and_does_not_read_the_refusals_is_told_so() {
    let mut end = exit();
    let mut refused = 0;
    for number in 1.. {
        says(&mut end, &[CellFrame::Begin(number, NODE)]).unwrap();
        if !end.refuse(number, CloseReason::Busy) {
            break;
        }
        refused += 1;
        assert!(refused <= URGENT_MAX);
    }
    assert!(end.streams.is_empty());
}

#[test]
fn streams_of_no_circuit_are_passed_over_and_data_may_cross_a_close() {
    let mut end = client();
    let number = end.open(NODE);
    assert!(end.pack(FORWARD_PAYLOAD).is_some());
    end.close(number, CloseReason::Done, NOW);
    let late = [
        CellFrame::Data(number, &[1; 100]),
        CellFrame::Credit(number + 9, 5),
        CellFrame::Data(number + 9, &[1; 100]),
        CellFrame::Close(number + 9, CloseReason::Failed),
    ];
    assert_eq!(says(&mut end, &late), Ok(vec![]));
    assert_eq!(end.held(), (0, 0));
    // The close goes, and the stream with it.
    let payload = end.pack(FORWARD_PAYLOAD).unwrap();
    assert!(payload.starts_with(&[4]));
    assert!(end.streams.is_empty() && end.count() == 0);
}

#[test]
fn a_stream_closed_before_it_was_announced_is_never_heard_of() {
    let mut end = client();
    end.open(NODE);
    end.pack(FORWARD_PAYLOAD).unwrap();
    let third = end.open(NODE);
    end.close(third, CloseReason::Done, NOW);
    assert_eq!(
        end.count(),
        1,
        "nobody hears of a stream that was closed before it was announced"
    );
}
