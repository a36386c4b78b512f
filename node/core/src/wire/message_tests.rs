use proptest::prelude::*;

use super::*;

fn any_request() -> impl Strategy<Value = Request> {
    prop_oneof![
        (any::<[u8; 32]>(), 1u32..).prop_map(|(at, wanted)| Request::Get {
            location: Location(at),
            wanted
        }),
        (
            any::<u8>(),
            any::<u32>(),
            any::<u64>(),
            proptest::collection::vec(any::<[u8; 32]>(), 1..=32)
        )
            .prop_map(|(placement, day, work, references)| Request::Put(Put {
                placement: Placement::from_byte(placement),
                day,
                work,
                references: references.into_iter().map(Reference).collect(),
            })),
        any::<u8>().prop_map(|fill| Request::PutEntry(vec![fill; SealedEntry::ENCODED_LEN])),
        (
            any::<[u8; 32]>(),
            proptest::option::of(any::<[u8; 16]>()),
            1u8..=32
        )
            .prop_map(|(at, after, max)| Request::Query {
                location: Location(at),
                after,
                max
            }),
        proptest::collection::vec(any::<[u8; 32]>(), 1..=TALLIES_MAX)
            .prop_map(|all| Request::Tally(all.into_iter().map(Location).collect())),
        any::<[u8; 32]>().prop_map(|at| Request::Names(Location(at))),
    ]
}

fn any_reply() -> impl Strategy<Value = Reply> {
    prop_oneof![
        (1u32..).prop_map(Reply::Have),
        (1u32..).prop_map(Reply::Send),
        (any::<u32>(), any::<u8>()).prop_map(|(until_day, fill)| Reply::Receipt(Receipt {
            until_day,
            signature: Signature([fill; 64])
        })),
        (
            proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..=32),
            any::<Option<[u8; 16]>>()
        )
            .prop_map(|(entries, more)| Reply::Entries(entries, more)),
        (0usize..6, any::<u8>())
            .prop_map(|(cause, price)| Reply::Refused(Refusal::ALL[cause], price)),
        Just(Reply::Nothing),
        proptest::collection::vec(any::<u64>(), 1..=TALLIES_MAX).prop_map(Reply::Tallies),
        proptest::collection::btree_set(any::<u64>(), 0..=NAMES_MAX)
            .prop_map(|names| Reply::Names(names.into_iter().collect())),
    ]
}

#[test]
fn messages_have_these_bytes() {
    let get = Request::Get {
        location: Location([7; 32]),
        wanted: 3,
    };
    assert_eq!(get.encode(), [&[1][..], &[7; 32], &[0, 0, 0, 3]].concat());
    assert_eq!(Reply::Refused(Refusal::Price, 12).encode(), [36, 2, 12]);
    assert_eq!(Reply::Nothing.encode(), [37]);
    let places = vec![Location([7; 32]), Location([8; 32])];
    let tally = Request::Tally(places);
    assert_eq!(tally.encode(), [&[5, 2][..], &[7; 32], &[8; 32]].concat());
    assert_eq!(
        Request::Names(Location([7; 32])).encode(),
        [&[6][..], &[7; 32]].concat()
    );
    let tallies = Reply::Tallies(vec![0, 258]);
    let bytes = [38, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2];
    assert_eq!(tallies.encode(), bytes);
    let names = Reply::Names(vec![3]);
    assert_eq!(names.encode(), [39, 0, 1, 0, 0, 0, 0, 0, 0, 0, 3]);
}

#[test]
fn lists_that_are_empty_too_long_or_in_disorder_are_refused() {
    let tally = |count: usize| Request::Tally(vec![Location([1; 32]); count]).encode();
    assert!(Request::decode(&tally(TALLIES_MAX)).is_ok());
    let longer = [&[5, 65][..], &[1; 32 * 65]].concat();
    assert!(Request::decode(&longer).is_err());
    assert!(Request::decode(&[5, 0]).is_err());
    assert!(Reply::decode(&[38, 0]).is_err());
    let longer = [&[38, 65][..], &[1; 8 * 65]].concat();
    assert!(Reply::decode(&longer).is_err());
    for names in [vec![2, 1], vec![1, 1]] {
        assert_eq!(
            Reply::decode(&Reply::Names(names).encode()),
            Err(WireError::Invalid)
        );
    }
    let longer: Vec<u64> = (0..=NAMES_MAX as u64).collect();
    assert!(Reply::decode(&Reply::Names(longer).encode()).is_err());
}

#[test]
fn every_refusal_reads_back_as_itself() {
    for cause in Refusal::ALL {
        assert_eq!(
            Reply::decode(&Reply::Refused(cause, 1).encode()),
            Ok(Reply::Refused(cause, 1))
        );
    }
}

#[test]
fn a_chunk_reads_back_and_nothing_shorter_does() {
    let bytes = encode_chunk(31, &[5; CHUNK]);
    assert_eq!(bytes.len(), CHUNK_MESSAGE);
    assert_eq!(decode_chunk(&bytes), Ok((31, &[5u8; CHUNK][..])));
    assert_eq!(decode_chunk(&bytes[..CHUNK]), Err(WireError::Truncated));
    assert_eq!(
        decode_chunk(&encode_chunk(32, &[5; CHUNK])),
        Err(WireError::Invalid)
    );
}

proptest! {
    #[test]
    fn requests_round_trip_and_end_exactly(request in any_request(), cut in any::<prop::sample::Index>()) {
        let mut bytes = request.encode();
        prop_assert!(Request::decode(&bytes[..cut.index(bytes.len())]).is_err());
        prop_assert_eq!(Request::decode(&bytes), Ok(request));
        bytes.push(0);
        prop_assert!(Request::decode(&bytes).is_err());
    }

    #[test]
    fn replies_round_trip_and_end_exactly(reply in any_reply(), cut in any::<prop::sample::Index>()) {
        let mut bytes = reply.encode();
        prop_assert!(Reply::decode(&bytes[..cut.index(bytes.len())]).is_err());
        prop_assert_eq!(Reply::decode(&bytes), Ok(reply));
        bytes.push(0);
        prop_assert!(Reply::decode(&bytes).is_err());
    }

    #[test]
    fn damaged_messages_never_panic_and_are_canonical(
        request in any_request(), reply in any_reply(), at in any::<prop::sample::Index>(), to in any::<u8>()
    ) {
        let mut bytes = request.encode();
        let place = at.index(bytes.len());
        bytes[place] = to;
        if let Ok(read) = Request::decode(&bytes) {
            prop_assert_eq!(read.encode(), bytes);
        }
        let mut bytes = reply.encode();
        let place = at.index(bytes.len());
        bytes[place] = to;
        if let Ok(read) = Reply::decode(&bytes) {
            prop_assert_eq!(read.encode(), bytes);
        }
    }
}
