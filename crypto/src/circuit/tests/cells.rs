//! Cells, both ways.

use proptest::prelude::*;

use super::*;

/// The hop at `at` as it was before the first cell.
fn fresh(scene: &Scene, at: usize) -> RelayCircuit {
    accepted(at, &scene.creates[at]).unwrap().relay
}

/// Something that is asked of a hop.
type Act = fn(&mut RelayCircuit, &mut [u8]) -> Result<(), CircuitError>;

/// Lets a hop take a cell: the exit opens it, any other peels it.
fn take(relay: &mut RelayCircuit, is_exit: bool, cell: &mut [u8]) -> Result<(), CircuitError> {
    if is_exit {
        relay.open(cell).map(drop)
    } else {
        relay.peel(cell)
    }
}

#[test]
fn many_cells_go_both_ways() {
    for hops in 1..=HOPS_MAX {
        let mut scene = Scene::new(hops);
        for number in 0..300usize {
            let payload = vec![number as u8; number * 37 % (FORWARD_PAYLOAD + 1)];
            let cells = scene.forward(&payload);
            assert_eq!(scene.payload(cells), padded(&payload, FORWARD_PAYLOAD));
            for back in 0..number % 3 {
                let payload = vec![back as u8; number * 41 % (BACKWARD_PAYLOAD + 1)];
                let mut cells = scene.backward(&payload);
                let opened = scene.client.open(&mut cells[0]).unwrap();
                assert_eq!(opened, padded(&payload, BACKWARD_PAYLOAD));
            }
        }
    }
}

#[test]
fn cells_are_of_one_length_and_unlike_each_other() {
    for hops in 1..=HOPS_MAX {
        let mut scene = Scene::new(hops);
        for payload in [&[][..], &[0; FORWARD_PAYLOAD], &[9; 5]] {
            let forward = scene.forward(payload);
            assert_unlike(&forward, CELL_LEN);
            let backward = scene.backward(payload);
            assert_unlike(&backward, CELL_LEN);
            assert!(!related(&forward[0], &backward[0]));
        }
        // The same payload twice is not the same cell.
        let (one, two) = (scene.forward(b"x").remove(0), scene.forward(b"x").remove(0));
        assert!(!related(&one, &two));
    }
}

#[test]
fn a_cell_is_appended() {
    let mut scene = Scene::new(3);
    let mut out = vec![1, 2, 3];
    scene.client.seal(b"x", &mut out).unwrap();
    assert_eq!((out.len(), &out[..3]), (3 + CELL_LEN, &[1, 2, 3][..]));
    scene.relays[2].seal(b"x", &mut out).unwrap();
    assert_eq!(out.len(), 3 + 2 * CELL_LEN);
}

/// Behind the payload the exit finds what it can't tell from what a path of any other length leaves there.
#[test]
fn the_exit_finds_no_zeros_where_a_longer_path_has_fillers() {
    for hops in 1..=HOPS_MAX {
        let mut scene = Scene::new(hops);
        let mut ends = HashSet::new();
        for _ in 0..3 {
            let mut cell = scene.forward(b"x").pop().unwrap();
            scene.relays[hops - 1].open(&mut cell).unwrap();
            let end = cell[TAG_LEN + FORWARD_PAYLOAD..].to_vec();
            assert!(end.chunks(8).all(|part| part != [0; 8]));
            assert!(ends.insert(end));
        }
    }
}

#[test]
fn a_forward_cell_changed_anywhere_is_refused_by_the_next_hop_and_so_is_all_after_it() {
    let mut scene = Scene::new(HOPS_MAX);
    let (first, second) = (scene.forward(b"first"), scene.forward(b"second"));
    for at in 0..HOPS_MAX {
        let is_exit = at + 1 == HOPS_MAX;
        for place in 0..CELL_LEN {
            let mut relay = fresh(&scene, at);
            let mut damaged = first[at].clone();
            damaged[place] ^= 1 << (place % 8);
            let refused = take(&mut relay, is_exit, &mut damaged);
            assert_eq!(refused, Err(CircuitError::Unauthenticated), "byte {place}");
            for mut cell in [first[at].clone(), second[at].clone()] {
                let refused = take(&mut relay, is_exit, &mut cell);
                assert_eq!(refused, Err(CircuitError::Gone));
            }
            let wrapped = relay.wrap(&mut [0; CELL_LEN]);
            assert_eq!(wrapped, Err(CircuitError::Gone));
        }
    }
}

#[test]
fn cells_lost_repeated_or_out_of_order_are_refused() {
    let mut scene = Scene::new(HOPS_MAX);
    let cells: Vec<_> = [b"a", b"b", b"c"]
        .map(|payload| scene.forward(payload))
        .into();
    let at_hop = |number: usize, at: usize| cells[number][at].clone();
    for at in 0..HOPS_MAX {
        let is_exit = at + 1 == HOPS_MAX;
        for order in [[0, 0], [0, 2]] {
            let mut relay = fresh(&scene, at);
            let [good, bad] = order.map(|number| at_hop(number, at));
            assert_eq!(take(&mut relay, is_exit, &mut good.clone()), Ok(()));
            let refused = take(&mut relay, is_exit, &mut bad.clone());
            assert_eq!(refused, Err(CircuitError::Unauthenticated));
        }
        let mut early = at_hop(1, at);
        let refused = take(&mut fresh(&scene, at), is_exit, &mut early);
        assert_eq!(refused, Err(CircuitError::Unauthenticated));
    }
    let cells: Vec<_> = [b"a", b"b", b"c"]
        .map(|payload| scene.backward(payload))
        .into();
    for order in [[0, 0], [0, 2]] {
        let mut client = Scene::new(HOPS_MAX).client;
        let [good, bad] = order.map(|number| cells[number][0].clone());
        assert!(client.open(&mut good.clone()).is_ok());
        let refused = client.open(&mut bad.clone()).map(drop);
        assert_eq!(refused, Err(CircuitError::Unauthenticated));
        let sealed = client.seal(b"", &mut Vec::new());
        assert_eq!(sealed, Err(CircuitError::Gone));
    }
}

#[test]
fn what_is_not_a_hops_part_or_too_long_ends_the_circuit() {
    let scene = Scene::new(2);
    let mut cell = [0; CELL_LEN];
    let wrong: [(usize, Act); 4] = [
        (0, |relay, cell| relay.open(cell).map(drop)),
        (0, |relay, _| relay.seal(b"", &mut Vec::new())),
        (1, |relay, cell| relay.peel(cell)),
        (1, |relay, cell| relay.wrap(cell)),
    ];
    for (at, act) in wrong {
        let mut relay = fresh(&scene, at);
        assert_eq!(act(&mut relay, &mut cell), Err(CircuitError::WrongPath));
        assert_eq!(act(&mut relay, &mut cell), Err(CircuitError::Gone));
    }
    let mut out = Vec::new();
    let mut exit = fresh(&scene, 1);
    let sealed = exit.seal(&[0; BACKWARD_PAYLOAD + 1], &mut out);
    assert_eq!(sealed, Err(CircuitError::Size));
    let mut client = Scene::new(2).client;
    let sealed = client.seal(&[0; FORWARD_PAYLOAD + 1], &mut out);
    assert_eq!(sealed, Err(CircuitError::Size));
    assert_eq!(client.seal(b"", &mut out), Err(CircuitError::Gone));
    assert!(out.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn payloads_arrive_with_zeros_behind_them(
        hops in 1..=HOPS_MAX,
        there in prop::collection::vec(any::<u8>(), 0..=FORWARD_PAYLOAD),
        back in prop::collection::vec(any::<u8>(), 0..=BACKWARD_PAYLOAD),
    ) {
        let mut scene = Scene::new(hops);
        let cells = scene.forward(&there);
        prop_assert_eq!(scene.payload(cells), padded(&there, FORWARD_PAYLOAD));
        let mut cells = scene.backward(&back);
        let opened = scene.client.open(&mut cells[0]).unwrap();
        prop_assert_eq!(opened, padded(&back, BACKWARD_PAYLOAD));
    }

    #[test]
    fn a_forward_cell_changed_after_any_others_is_refused(
        hops in 1..=HOPS_MAX, at in 0..HOPS_MAX, before in 0usize..4, place in 0..CELL_LEN, change in 1u8..,
    ) {
        let at = at % hops;
        let mut scene = Scene::new(hops);
        for _ in 0..before {
            let cells = scene.forward(b"before");
            scene.payload(cells);
        }
        let mut cell = Vec::new();
        scene.client.seal(b"this one", &mut cell).unwrap();
        for relay in &mut scene.relays[..at] {
            relay.peel(&mut cell).unwrap();
        }
        cell[place] ^= change;
        let refused = take(&mut scene.relays[at], at + 1 == hops, &mut cell);
        prop_assert_eq!(refused, Err(CircuitError::Unauthenticated));
    }

    #[test]
    fn a_backward_cell_changed_anywhere_is_refused_by_the_client(
        hops in 1..=HOPS_MAX, at in 0..HOPS_MAX, place in 0..CELL_LEN, change in 1u8..,
    ) {
        let at = at % hops;
        let mut scene = Scene::new(hops);
        let mut cell = scene.backward(b"back").remove(at);
        cell[place] ^= change;
        for before in (0..at).rev() {
            fresh(&scene, before).wrap(&mut cell).unwrap();
        }
        let refused = scene.client.open(&mut cell).map(drop);
        prop_assert_eq!(refused, Err(CircuitError::Unauthenticated));
        let mut next = scene.backward(b"next").remove(0);
        prop_assert_eq!(scene.client.open(&mut next), Err(CircuitError::Gone));
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..2 * CELL_LEN), is_whole: bool) {
        let mut bytes = bytes;
        if is_whole {
            bytes.resize(CELL_LEN, 0);
        }
        let scene = Scene::new(2);
        let expected = if bytes.len() == CELL_LEN {
            CircuitError::Unauthenticated
        } else {
            CircuitError::Size
        };
        prop_assert_eq!(fresh(&scene, 0).peel(&mut bytes.clone()), Err(expected));
        prop_assert_eq!(fresh(&scene, 1).open(&mut bytes.clone()).map(drop), Err(expected));
        prop_assert_eq!(Scene::new(2).client.open(&mut bytes.clone()).map(drop), Err(expected));
        let wrapped = fresh(&scene, 0).wrap(&mut bytes);
        prop_assert_eq!(wrapped.is_ok(), bytes.len() == CELL_LEN);
    }
}
