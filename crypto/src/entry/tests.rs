//! Entries as a whole: fixed bytes, round trips, limits, and damage of every kind.

use std::sync::LazyLock;

use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::body::tests::{any_body, body};
use super::*;
use crate::cost::Cost;
use crate::hash::blake2b_256;
use crate::ids::{Location, NetworkId};
use crate::keys::IdentityKey;
use crate::network::{Network, Params};
use crate::terms::Term;
use crate::token::KeywordToken;
use data_encoding::HEXLOWER;

const TODAY: u32 = 20_000;

static NETWORK: LazyLock<Network> = LazyLock::new(|| {
    let keyword_cost = Cost {
        memory_kib: 8,
        passes: 1,
        lanes: 1,
    };
    Network::new(
        "test",
        Params {
            keyword_cost,
            ..Params::local()
        },
        None,
    )
    .unwrap()
});
static TOKEN: LazyLock<KeywordToken> = LazyLock::new(|| token("oboro"));

fn token(term: &str) -> KeywordToken {
    KeywordToken::derive(&NETWORK, &Term::parse(term).unwrap())
}

fn sealed(body: &EntryBody, expires_day: u32) -> SealedEntry {
    let mut rng = ChaCha20Rng::from_seed([9; 32]);
    seal(&NETWORK, &TOKEN, body, 1, expires_day, &mut rng)
        .unwrap()
        .solve()
}

#[test]
fn an_entry_has_fixed_bytes() {
    // Opened, verified and weighed by a second program written from the description of the format.
    let bytes = sealed(&body("おぼろ.txt", 5, ""), TODAY + 30).encode();
    assert_eq!(
        HEXLOWER.encode(&bytes[..38]),
        "013c5ec6112be1f8ed2b74b7166b91bb5574583594891ca843c34f6ef57e7c0ec2013e4e0000"
    );
    assert_eq!(
        HEXLOWER.encode(&blake2b_256(&bytes)),
        "b8b83a6348d81f0b236a75bfce913812928a110c34aba9677a91d43d87866237"
    );
}

#[test]
fn entries_are_of_one_length_and_their_body_of_1024_bytes() {
    for title in ["a", &"漢".repeat(133)] {
        let entry = sealed(&body(title, 1 << 40, "some more words"), TODAY + 30);
        assert_eq!(entry.sealed.len(), 1024);
        assert_eq!(entry.encode().len(), SealedEntry::ENCODED_LEN);
    }
    assert_eq!(SealedEntry::ENCODED_LEN, 1134);
}

#[test]
fn an_entry_is_checked_without_the_word_and_read_with_it() {
    let mut body = body("東京都庁.pdf", 1 << 20, "oboro");
    body.sign(
        &NETWORK.id(),
        &IdentityKey::generate(&mut ChaCha20Rng::from_seed([1; 32])),
    );
    let entry = sealed(&body, TODAY + 30);
    assert!(entry.check(&NETWORK, TODAY).unwrap() >= NETWORK.params.entry_work);
    assert_eq!(entry.open(&TOKEN), Ok(body));
    assert_eq!(entry.open(&token("obor")), Err(EntryError::OtherTerm));
    assert_eq!(
        entry.location(&NETWORK.id()),
        Location::of_entry(&NETWORK.id(), &TOKEN.location_key(), 1)
    );
}

#[test]
fn time_limits_hold_to_the_day() {
    let entry = sealed(&body("a", 1, ""), TODAY + 31);
    assert!(entry.check(&NETWORK, TODAY).is_ok());
    assert!(entry.check(&NETWORK, TODAY + 31).is_ok());
    assert_eq!(entry.check(&NETWORK, TODAY + 32), Err(EntryError::Expired));
    assert_eq!(
        entry.check(&NETWORK, TODAY - 1),
        Err(EntryError::TooLongLived)
    );
    assert!(
        sealed(&body("a", 1, ""), u32::MAX)
            .check(&NETWORK, u32::MAX)
            .is_ok()
    );
}

#[test]
fn placements_beyond_the_network_are_neither_made_nor_accepted() {
    let rng = &mut ChaCha20Rng::from_seed([9; 32]);
    let made = seal(&NETWORK, &TOKEN, &body("a", 1, ""), 8, TODAY, rng).err();
    assert_eq!(made, Some(EntryError::Index(8)));
    let entry = SealedEntry {
        index: 8,
        ..sealed(&body("a", 1, ""), TODAY)
    };
    assert_eq!(entry.check(&NETWORK, TODAY), Err(EntryError::Index(8)));
}

#[test]
fn work_is_demanded_and_a_higher_price_is_paid() {
    let rng = &mut ChaCha20Rng::from_seed([9; 32]);
    let unworked = seal(&NETWORK, &TOKEN, &body("a", 1, ""), 0, TODAY, rng).unwrap();
    let entry = unworked.at_price(12).solve();
    assert!(entry.check(&NETWORK, TODAY).unwrap() >= 12);
    let lazy = (0..).map(|nonce| SealedEntry {
        nonce,
        ..entry.clone()
    });
    let needed = NETWORK.params.entry_work;
    let refused = lazy.map(|entry| entry.check(&NETWORK, TODAY)).find(|checked| {
        matches!(checked, Err(EntryError::Work { needed: asked, found }) if *asked == needed && *found < needed)
    });
    assert!(refused.is_some());
}

#[test]
fn work_done_for_one_entry_is_worth_nothing_for_another() {
    let entry = sealed(&body("a", 1, ""), TODAY);
    let contexts = [
        entry.work_context(&NETWORK.id()),
        SealedEntry {
            index: 0,
            ..entry.clone()
        }
        .work_context(&NETWORK.id()),
        SealedEntry {
            expires_day: TODAY + 1,
            ..entry.clone()
        }
        .work_context(&NETWORK.id()),
        sealed(&body("b", 1, ""), TODAY).work_context(&NETWORK.id()),
        entry.work_context(&NetworkId([1; 32])),
    ];
    let distinct: std::collections::BTreeSet<_> = contexts.iter().collect();
    assert_eq!(distinct.len(), contexts.len());
}

#[test]
fn a_token_of_another_network_seals_nothing_here() {
    let other = Network::new("other", NETWORK.params, None).unwrap();
    let rng = &mut ChaCha20Rng::from_seed([9; 32]);
    let made = seal(&other, &TOKEN, &body("a", 1, ""), 0, TODAY, rng).err();
    assert_eq!(made, Some(EntryError::OtherTerm));
}

#[test]
fn bodies_that_contradict_the_outside_are_refused() {
    let rng = &mut ChaCha20Rng::from_seed([9; 32]);
    let late = seal(&NETWORK, &TOKEN, &body("a", 1, ""), 0, TODAY - 1, rng).err();
    assert_eq!(late, Some(EntryError::Body(BodyError::Day)));
    let mut forged = body("a", 1, "");
    forged.sign(&NETWORK.id(), &IdentityKey::generate(rng));
    forged.title.push('b');
    let made = seal(&NETWORK, &TOKEN, &forged, 0, TODAY, rng).err();
    assert_eq!(made, Some(EntryError::Body(BodyError::Publisher)));
}

#[test]
fn a_newer_version_is_named_as_such() {
    let mut bytes = sealed(&body("a", 1, ""), TODAY).encode();
    bytes[0] = 2;
    assert_eq!(SealedEntry::decode(&bytes), Err(EntryError::Version(2)));
    assert_eq!(
        SealedEntry::decode(&[]),
        Err(EntryError::Length { found: 0 })
    );
}

proptest! {
    #[test]
    fn what_was_sealed_decodes_and_opens_to_the_same(mut body in any_body()) {
        body.publisher = None;
        let entry = sealed(&body, TODAY + 30);
        let bytes = entry.encode();
        prop_assert_eq!(bytes.len(), SealedEntry::ENCODED_LEN);
        let decoded = SealedEntry::decode(&bytes).unwrap();
        prop_assert!(decoded == entry);
        prop_assert!(decoded.check(&NETWORK, TODAY).is_ok());
        prop_assert_eq!(decoded.open(&TOKEN), Ok(body));
    }

    #[test]
    fn a_changed_byte_is_never_accepted_and_never_opens_to_something_else(
        at in 0..SealedEntry::ENCODED_LEN, flip in 1u8.., len in 0..SealedEntry::ENCODED_LEN + 9,
    ) {
        static GOOD: LazyLock<(EntryBody, Vec<u8>)> = LazyLock::new(|| {
            let body = body("東京都庁.pdf", 1 << 20, "oboro");
            let bytes = sealed(&body, TODAY + 30).encode();
            (body, bytes)
        });
        let (body, mut bytes) = GOOD.clone();
        bytes[at] ^= flip;
        if let Ok(entry) = SealedEntry::decode(&bytes) {
            prop_assert!(entry.check(&NETWORK, TODAY).is_err());
            if let Ok(opened) = entry.open(&TOKEN) {
                prop_assert_eq!(opened, body);
            }
        }
        bytes.resize(len, 0);
        prop_assert_eq!(SealedEntry::decode(&bytes).is_ok(), len == SealedEntry::ENCODED_LEN && at != 0);
    }

    #[test]
    fn invented_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..1300)) {
        prop_assert!(SealedEntry::decode(&bytes).is_err() || bytes.len() == SealedEntry::ENCODED_LEN);
    }
}
