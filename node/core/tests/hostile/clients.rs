//! Clients of a storer: puts that are wrong or never end, questions that make no sense, sessions that come to nothing.

use std::time::Duration;

use oboro_cache::Store;
use oboro_core::limits::{
    PUTS_AT_ONCE_MAX, PUTS_PER_LINK_MAX, SERVE_PATIENCE, SERVING_MAX, STORE_WAITING_MAX,
};
use oboro_core::wire::control::Control;
use oboro_core::wire::frame::{CloseReason, Frame};
use oboro_core::wire::message::{Refusal, Reply, Request};
use oboro_core::wire::placement::Placement;
use oboro_crypto::entry::{self, EntryBody, Kind, SealedEntry};
use oboro_crypto::eris::Capability;
use oboro_crypto::ids::Location;
use oboro_crypto::terms;
use oboro_crypto::token::KeywordToken;
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

use crate::world::World;
use crate::world::puppet::{Client, controls, data, framed, pack, paid_put};

/// The placement for which every node of a small world is responsible.
const LAST: u8 = 3;

/// A storer that holds a file, and a link to it from a stranger that has greeted.
fn storer() -> (World, oboro_core::ids::LinkId) {
    let mut world = World::new(4, 60);
    world.settle();
    let link = world.connect_stranger(0);
    world.greet(0, link, None);
    (world, link)
}

/// Asks for a put and waits until the chunks are wanted.
fn begin_put(
    world: &mut World,
    link: oboro_core::ids::LinkId,
    number: u32,
    seed: u8,
    count: usize,
) -> (Client, Vec<Vec<u8>>) {
    let (put, chunks) = paid_put(world, LAST, count, seed);
    let mut client = world.ask(0, link, number, &Request::Put(put));
    world.run(Duration::from_millis(10));
    let replies = client.replies(world);
    assert!(matches!(replies[..], [Reply::Send(_)]), "{replies:?}");
    (client, chunks)
}

fn refused(client: &mut Client, world: &mut World) -> Option<Refusal> {
    world.run(Duration::from_millis(10));
    match client.replies(world)[..] {
        [Reply::Refused(cause, _)] => Some(cause),
        _ => None,
    }
}

#[test]
fn a_put_that_is_right_is_kept_and_one_that_is_wrong_is_not() {
    let (mut world, link) = storer();
    let (mut client, chunks) = begin_put(&mut world, link, 1, 1, 5);
    for (index, chunk) in chunks.iter().enumerate() {
        client.send(&mut world, &[(index as u8, chunk)]);
    }
    world.run(Duration::from_millis(10));
    assert!(matches!(
        client.replies(&mut world)[..],
        [Reply::Receipt(_)]
    ));
    assert_eq!(world.machines[0].store.stats().chunks, 5);
    let wrong: [&[(u8, usize)]; 4] = [
        // Out of order, one that is not part of it, the wrong one, the same again.
        &[(1, 1)],
        &[(5, 0)],
        &[(0, 1), (1, 1), (2, 2), (3, 3)],
        &[(0, 0), (0, 0)],
    ];
    for (round, order) in wrong.iter().enumerate() {
        let seed = 10 + round as u8;
        let (mut client, chunks) = begin_put(&mut world, link, 101 + round as u32 * 2, seed, 5);
        let sent: Vec<(u8, &[u8])> = order
            .iter()
            .map(|&(index, chunk)| (index, chunks[chunk].as_slice()))
            .collect();
        client.send(&mut world, &sent);
        let cause = refused(&mut client, &mut world);
        assert_eq!(cause, Some(Refusal::Invalid), "{order:?}");
    }
    assert_eq!(world.machines[0].store.stats().chunks, 5);
    let held = world.machines[0].node.held();
    assert_eq!((held.puts, held.serving), (0, 0));
}

#[test]
fn chunks_after_the_last_one_are_refused_and_harm_nobody() {
    let (mut world, link) = storer();
    for (number, count) in [(1, 1), (3, 2), (5, 32)] {
        let (mut client, chunks) = begin_put(&mut world, link, number, number as u8, count);
        let mut all: Vec<(u8, &[u8])> = chunks
            .iter()
            .enumerate()
            .map(|(index, chunk)| (index as u8, chunk.as_slice()))
            .collect();
        // All but the last few, which come in one piece with what is too much: before the store can answer.
        let tail = all.split_off(count - count.min(4));
        for piece in all.chunks(4) {
            client.send(&mut world, piece);
        }
        let again: Vec<(u8, &[u8])> = tail
            .iter()
            .copied()
            .chain([(0, chunks[0].as_slice()), (1, chunks[0].as_slice())])
            .collect();
        client.send(&mut world, &again);
        world.run(Duration::from_millis(50));
    }
    let held = world.machines[0].node.held();
    assert_eq!((held.puts, held.serving, held.tickets), (0, 0, 0));
    assert!(world.machines[0].node.stats().violations["chunk_order"] >= 3);
}

#[test]
fn a_client_that_leaves_after_its_last_chunk_keeps_no_place() {
    let (mut world, link) = storer();
    let (mut client, chunks) = begin_put(&mut world, link, 1, 1, 2);
    let sent = [(0, chunks[0].as_slice()), (1, chunks[1].as_slice())];
    let mut records = client.chunks(&sent);
    records.extend(pack(&[Frame::Close(1, CloseReason::Done)]));
    world.inject(0, link, records);
    assert_eq!(world.machines[0].node.held().puts, 1, "until it is on disk");
    world.run(Duration::from_millis(10));
    let held = world.machines[0].node.held();
    assert_eq!((held.puts, held.serving, held.tickets), (0, 0, 0));
    assert_eq!(world.machines[0].store.stats().chunks, 2);
}

#[test]
fn half_puts_that_never_end_do_not_keep_others_from_putting() {
    let (mut world, first) = storer();
    let second = world.connect_stranger(0);
    world.greet(0, second, None);
    let mut clients = Vec::new();
    for (round, link) in [first, second].into_iter().enumerate() {
        for index in 0..PUTS_PER_LINK_MAX {
            let seed = (round * 50 + index) as u8;
            let (mut client, chunks) = begin_put(&mut world, link, index as u32 * 2 + 1, seed, 32);
            client.send(&mut world, &[(0, &chunks[0])]);
            clients.push((client, chunks, 1u8));
        }
        // One more is too many for one link.
        let (put, _) = paid_put(&world, LAST, 3, 200 + round as u8);
        let mut more = world.ask(0, link, 901, &Request::Put(put));
        assert_eq!(refused(&mut more, &mut world), Some(Refusal::Busy));
    }
    assert_eq!(world.machines[0].node.held().puts, PUTS_AT_ONCE_MAX);
    // An honest publisher comes: it needs this node, as every node holds everything in so small a world.
    let before = world.machines[0].store.stats().chunks;
    world.publish(1, "honest", &[1; 100_000]);
    assert!(world.machines[0].store.stats().chunks > before);
    assert!(world.machines[0].node.held().puts <= PUTS_AT_ONCE_MAX);
    // They drip: a chunk now and then, for as long as the storer bears it.
    for _ in 0..10 {
        world.run(SERVE_PATIENCE - Duration::from_secs(10));
        for (client, chunks, next) in &mut clients {
            client.send(&mut world, &[(*next, &chunks[usize::from(*next)])]);
            *next += 1;
        }
        for link in [first, second] {
            world.inject(0, link, controls(&[Control::Ping(1)]));
        }
    }
    let held = world.machines[0].node.held();
    assert_eq!((held.puts, held.serving, held.unread), (0, 0, 0));
    assert_eq!(world.machines[0].store.stats().chunks, before + 5);
}

#[test]
fn a_put_that_nobody_should_send_is_refused_before_anything_is_held() {
    let (mut world, link) = storer();
    let (good, _) = paid_put(&world, LAST, 3, 1);
    let mut bad = Vec::new();
    for change in 0..6 {
        let mut put = good.clone();
        match change {
            0 => put.placement = Placement::from_byte(world.network.params.replicas),
            1 => put.placement = Placement::new(1, 3),
            2 => put.placement = Placement::new(2, 2),
            3 => put.day -= 2,
            4 => put.day = u32::MAX,
            _ => put.work = (0..).find(|work| !is_paid(&world, &good, *work)).unwrap(),
        }
        bad.push(put);
    }
    for (index, put) in bad.into_iter().enumerate() {
        let mut client = world.ask(0, link, index as u32 * 2 + 1, &Request::Put(put));
        let expected = if index == 5 {
            Refusal::Price
        } else {
            Refusal::Invalid
        };
        assert_eq!(refused(&mut client, &mut world), Some(expected));
    }
    assert_eq!(world.machines[0].node.held().puts, 0);
}

fn is_paid(world: &World, put: &oboro_core::wire::message::Put, work: u64) -> bool {
    use oboro_crypto::{hash::hash, ids::ExtentId, labels};
    let extent = ExtentId::of(&put.references);
    let location = Location::of_extent(&world.network.id(), &extent, put.placement.index());
    let body = hash(labels::WORK_PUT, &[extent.as_bytes()]);
    let context = oboro_crypto::work::context(labels::WORK_PUT, &location, put.day, &body);
    oboro_crypto::work::bits(&context, work) >= world.network.params.put_work
}

fn sealed(world: &World, word: &str, expires_in: u32) -> SealedEntry {
    let term = terms::of_text(word).remove(0);
    let token = KeywordToken::derive(&world.network, &term);
    let mut root = [7; 66];
    (root[0], root[1]) = (0x0f, 0);
    let capability = Capability::from_bytes(&root).unwrap();
    let today = world.now.day();
    let body = EntryBody::new(word, 5, Kind::File, capability, &[], today);
    let mut rng = ChaCha20Rng::from_seed([8; 32]);
    entry::seal(
        &world.network,
        &token,
        &body,
        LAST,
        today + expires_in,
        &mut rng,
    )
    .unwrap()
    .solve()
}

#[test]
fn entries_that_are_not_right_are_not_kept() {
    let (mut world, link) = storer();
    let good = sealed(&world, "right", 30);
    let mut unworked = good.clone();
    unworked.nonce ^= 1;
    let mut unsigned = good.clone();
    unsigned.signature.0[9] ^= 1;
    let mut changed = good.clone();
    changed.sealed[500] ^= 1;
    let mut longer = good.clone();
    longer.expires_day += 1;
    let eternal = sealed(&world, "eternal", 40);
    let mut elsewhere = good.clone();
    elsewhere.index = 9;
    let bad = [unworked, unsigned, changed, longer, eternal, elsewhere];
    for (index, entry) in bad.into_iter().enumerate() {
        let request = Request::PutEntry(entry.encode());
        let mut client = world.ask(0, link, index as u32 * 2 + 1, &request);
        let cause = refused(&mut client, &mut world);
        // Work is over all of it: most changes are a lack of work before they are anything else.
        let right = matches!(cause, Some(Refusal::Invalid | Refusal::Price));
        assert!(right, "{index}: {cause:?}");
    }
    assert_eq!(world.machines[0].store.stats().entries, 0);
    let mut client = world.ask(0, link, 99, &Request::PutEntry(good.encode()));
    world.run(Duration::from_millis(10));
    assert!(matches!(
        client.replies(&mut world)[..],
        [Reply::Receipt(_)]
    ));
    assert_eq!(world.machines[0].store.stats().entries, 1);
}

#[test]
fn questions_with_any_cursor_are_answered_or_refused_and_forgotten() {
    let (mut world, link) = storer();
    world.publish(1, "cursor", &[1; 10]);
    let term = terms::of_text("cursor").remove(0);
    let token = KeywordToken::derive(&world.network, &term);
    let mut rng = ChaCha20Rng::from_seed([9; 32]);
    let base = world.machines[0].node.held();
    for round in 0..500u32 {
        let mut cursor = [0; 16];
        rng.fill_bytes(&mut cursor);
        let index = (round % 4) as u8;
        let request = Request::Query {
            location: Location::of_entry(&world.network.id(), &token.location_key(), index),
            after: Some(cursor),
            max: 1 + (round % 32) as u8,
        };
        let mut client = world.ask(0, link, round * 2 + 1, &request);
        world.run(Duration::from_millis(1));
        let replies = client.replies(&mut world);
        let plain = matches!(replies[..], [Reply::Nothing] | [Reply::Entries(_, None)]);
        assert!(plain, "{replies:?}");
    }
    assert_eq!(world.machines[0].node.held(), base);
}

#[test]
fn sessions_of_garbage_end_and_are_counted() {
    let (mut world, link) = storer();
    let base = world.machines[0].node.held();
    let mut rng = ChaCha20Rng::from_seed([10; 32]);
    for round in 0..2_000u32 {
        let mut bytes = vec![0; (rng.next_u32() % 300) as usize];
        rng.fill_bytes(&mut bytes);
        let number = round * 2 + 1;
        let records = if round % 2 == 0 {
            let message = framed(&bytes);
            let mut frames = vec![Frame::Open(number)];
            frames.extend(data(number, &message));
            pack(&frames)
        } else {
            // A right session around a request that is none.
            world.question_of(0, link, number, &bytes).1
        };
        world.inject(0, link, records);
        world.inject(0, link, pack(&[Frame::Close(number, CloseReason::Done)]));
    }
    assert_eq!(world.machines[0].node.held(), base);
    assert!(world.machines[0].node.stats().violations["session"] > 1_900);
}

#[test]
fn a_chunk_in_a_question_ends_it() {
    let (mut world, _) = storer();
    world.publish(1, "asked", &vec![5; 1_200_000]);
    let location = world.longest_extent(0);
    let link = world.connect_stranger(0);
    world.greet(0, link, None);
    let request = Request::Get {
        location,
        wanted: u32::MAX,
    };
    let mut client = world.ask(0, link, 1, &request);
    world.run(Duration::from_millis(1));
    assert!(!client.hear(&mut world).is_empty());
    client.send(&mut world, &[(0, &[0; 32_768])]);
    world.run(Duration::from_secs(1));
    assert_eq!(
        world.machines[0].node.stats().violations["unasked_chunk"],
        1
    );
    assert_eq!(world.machines[0].node.held().serving, 0);
}

#[test]
fn asking_and_leaving_at_once_fills_no_queue() {
    let (mut world, link) = storer();
    let request = Request::Get {
        location: Location([3; 32]),
        wanted: 1,
    };
    let mut batch = Vec::new();
    for round in 0..2_000u32 {
        let number = round * 2 + 1;
        batch.extend(world.question(0, link, number, &request).1);
        batch.extend(pack(&[Frame::Close(number, CloseReason::Done)]));
    }
    world.inject(0, link, batch);
    let tickets = world.machines[0].node.held().tickets;
    assert!(tickets <= STORE_WAITING_MAX + 8, "{tickets}");
    assert_eq!(world.machines[0].node.held().serving, 0);
    world.run(Duration::from_secs(1));
    assert_eq!(world.probe(0, &request), [Reply::Nothing.encode()]);
}

#[test]
fn more_questions_than_can_be_served_are_shared_out_among_links() {
    let (mut world, link) = storer();
    world.machines[0].mute = true;
    let request = Request::Get {
        location: Location([3; 32]),
        wanted: 1,
    };
    for round in 0..SERVING_MAX as u32 {
        world.ask(0, link, round * 2 + 1, &request);
    }
    assert_eq!(world.machines[0].node.held().serving, SERVING_MAX);
    let other = world.connect_stranger(0);
    world.greet(0, other, None);
    let mut clients: Vec<Client> = (0..SERVING_MAX as u32 - 8)
        .map(|round| world.ask(0, other, round * 2 + 1, &request))
        .collect();
    assert_eq!(world.machines[0].node.held().serving, SERVING_MAX);
    let open = clients
        .iter_mut()
        .filter_map(|client| {
            client.hear(&mut world);
            client.closed.is_none().then_some(())
        })
        .count();
    assert_eq!(open, SERVING_MAX / 2);
}

#[test]
fn a_storer_whose_store_answers_nothing_gives_up_in_time() {
    let (mut world, link) = storer();
    world.machines[0].mute = true;
    let (put, _) = paid_put(&world, LAST, 3, 1);
    world.ask(0, link, 1, &Request::Put(put));
    world.ask(
        0,
        link,
        3,
        &Request::PutEntry(sealed(&world, "mute", 30).encode()),
    );
    for _ in 0..4 {
        world.run(Duration::from_secs(20));
        world.inject(0, link, controls(&[Control::Ping(1)]));
    }
    let held = world.machines[0].node.held();
    assert_eq!((held.serving, held.puts), (0, 0));
}
