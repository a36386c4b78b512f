//! Control messages between the two ends of a link: who is there, what is alive. Never anything about content.
//!
//! | kind | name | body |
//! |---|---|---|
//! | 1 | hello | the address the sender sees us at; whether a descriptor follows (`u8`), a descriptor with length `u16` |
//! | 2 | digest | 256 × `u64`: one sum for each first byte of a node id |
//! | 3 | bucket | first byte `u8`, count `u16`, count × (id bytes 1 to 8 `u64`, issued `u32`) |
//! | 4 | want | first byte `u8`, count `u16`, count × (id bytes 1 to 8 `u64`) |
//! | 5 | descriptors | count `u8`, count × (length `u16`, descriptor) |
//! | 6 | ping | `u64` |
//! | 7 | pong | `u64` of the ping |
//! | 8 | offer | count `u16`, count × (id bytes 0 to 7 `u64`, issued `u32`) |
//! | 9 | ask | count `u16`, count × (id bytes 0 to 7 `u64`, issued `u32`) |

use std::net::SocketAddr;

use super::codec::{Reader, WireError, put_count8, put_count16};
use super::descriptor::{DESCRIPTOR_MAX, put_address, read_address};
use super::frame::CONTROL_MAX;

/// How many parts the view is compared in: one for each first byte of a node id.
pub const BUCKETS: usize = 256;
/// Entries of a bucket in one message; a fuller bucket is compared in several.
pub const BUCKET_ITEMS_MAX: usize = (CONTROL_MAX - 4) / 12;
/// Ids asked for in one message.
pub const WANT_MAX: usize = (CONTROL_MAX - 4) / 8;
/// Descriptors in one message: as many as fit at full size.
pub const DESCRIPTORS_MAX: usize = (CONTROL_MAX - 2) / (DESCRIPTOR_MAX + 2);

/// Descriptors offered or asked for in one message.
pub const OFFER_MAX: usize = (CONTROL_MAX - 3) / 12;

/// A control message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Control {
    /// The first message each way.
    Hello {
        /// How the sender sees the receiver.
        observed: SocketAddr,
        /// The sender's descriptor if it is listed, encoded.
        descriptor: Option<Vec<u8>>,
    },
    /// What the sender's view looks like, in sums.
    Digest(Box<[u64; BUCKETS]>),
    /// What the sender has in one bucket: (short id, issued).
    Bucket(u8, Vec<(u64, u32)>),
    /// Descriptors the sender would like, by short id.
    Want(u8, Vec<u64>),
    /// Descriptors, encoded.
    Descriptors(Vec<Vec<u8>>),
    /// Are you there?
    Ping(u64),
    /// I am.
    Pong(u64),
    /// Descriptors the sender has news of: (first bytes of the id, issued).
    Offer(Vec<(u64, u32)>),
    /// Which of them the sender would like.
    Ask(Vec<(u64, u32)>),
}

impl Control {
    /// Its bytes, at most [`CONTROL_MAX`].
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(match self {
            Self::Descriptors(_) | Self::Digest(_) => CONTROL_MAX,
            Self::Bucket(_, items) | Self::Offer(items) | Self::Ask(items) => 4 + 12 * items.len(),
            _ => 0,
        });
        match self {
            Self::Hello {
                observed,
                descriptor,
            } => {
                out.push(1);
                put_address(&mut out, observed);
                out.push(u8::from(descriptor.is_some()));
                if let Some(descriptor) = descriptor {
                    put_blob(&mut out, descriptor);
                }
            }
            Self::Digest(sums) => {
                out.push(2);
                sums.iter()
                    .for_each(|sum| out.extend_from_slice(&sum.to_be_bytes()));
            }
            Self::Bucket(bucket, items) => {
                out.extend_from_slice(&[3, *bucket]);
                put_items(&mut out, items);
            }
            Self::Want(bucket, ids) => {
                out.extend_from_slice(&[4, *bucket]);
                put_count16(&mut out, ids.len());
                ids.iter()
                    .for_each(|short| out.extend_from_slice(&short.to_be_bytes()));
            }
            Self::Descriptors(descriptors) => {
                out.push(5);
                put_count8(&mut out, descriptors.len());
                descriptors
                    .iter()
                    .for_each(|descriptor| put_blob(&mut out, descriptor));
            }
            Self::Ping(nonce) => put_nonce(&mut out, 6, *nonce),
            Self::Pong(nonce) => put_nonce(&mut out, 7, *nonce),
            Self::Offer(names) => {
                out.push(8);
                put_items(&mut out, names);
            }
            Self::Ask(names) => {
                out.push(9);
                put_items(&mut out, names);
            }
        }
        debug_assert!(
            out.len() <= CONTROL_MAX,
            "a control message longer than a record"
        );
        out
    }

    /// Reads one.
    ///
    /// # Errors
    /// Any [`WireError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        if bytes.len() > CONTROL_MAX {
            return Err(WireError::TooLong);
        }
        let mut reader = Reader::new(bytes);
        let message = match reader.u8()? {
            1 => read_hello(&mut reader)?,
            2 => {
                let mut sums = Box::new([0u64; BUCKETS]);
                for sum in sums.iter_mut() {
                    *sum = reader.u64()?;
                }
                Self::Digest(sums)
            }
            3 => {
                let bucket = reader.u8()?;
                Self::Bucket(bucket, read_items(&mut reader, BUCKET_ITEMS_MAX)?)
            }
            4 => {
                let bucket = reader.u8()?;
                let count = reader.count16(WANT_MAX)?;
                Self::Want(
                    bucket,
                    (0..count).map(|_| reader.u64()).collect::<Result<_, _>>()?,
                )
            }
            5 => {
                let count = reader.count8(DESCRIPTORS_MAX)?;
                Self::Descriptors(
                    (0..count)
                        .map(|_| read_blob(&mut reader))
                        .collect::<Result<_, _>>()?,
                )
            }
            6 => Self::Ping(reader.u64()?),
            7 => Self::Pong(reader.u64()?),
            8 => Self::Offer(read_items(&mut reader, OFFER_MAX)?),
            9 => Self::Ask(read_items(&mut reader, OFFER_MAX)?),
            _ => return Err(WireError::Unknown),
        };
        reader.end()?;
        Ok(message)
    }
}

fn put_blob(out: &mut Vec<u8>, blob: &[u8]) {
    put_count16(out, blob.len());
    out.extend_from_slice(blob);
}

fn put_items(out: &mut Vec<u8>, items: &[(u64, u32)]) {
    put_count16(out, items.len());
    for (id, issued) in items {
        out.extend_from_slice(&id.to_be_bytes());
        out.extend_from_slice(&issued.to_be_bytes());
    }
}

fn put_nonce(out: &mut Vec<u8>, kind: u8, nonce: u64) {
    out.push(kind);
    out.extend_from_slice(&nonce.to_be_bytes());
}

fn read_blob(reader: &mut Reader<'_>) -> Result<Vec<u8>, WireError> {
    let length = reader.count16(DESCRIPTOR_MAX)?;
    Ok(reader.bytes(length)?.to_vec())
}

fn read_items(reader: &mut Reader<'_>, most: usize) -> Result<Vec<(u64, u32)>, WireError> {
    let count = reader.count16(most)?;
    (0..count)
        .map(|_| Ok((reader.u64()?, reader.u32()?)))
        .collect()
}

fn read_hello(reader: &mut Reader<'_>) -> Result<Control, WireError> {
    let observed = read_address(reader)?;
    let descriptor = match reader.u8()? {
        0 => None,
        1 => Some(read_blob(reader)?),
        _ => return Err(WireError::Invalid),
    };
    Ok(Control::Hello {
        observed,
        descriptor,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_control() -> impl Strategy<Value = Control> {
        let blob = proptest::collection::vec(any::<u8>(), 0..DESCRIPTOR_MAX);
        prop_oneof![
            (any::<SocketAddr>(), proptest::option::of(blob.clone())).prop_map(
                |(observed, descriptor)| {
                    let observed = SocketAddr::new(observed.ip(), observed.port());
                    Control::Hello {
                        observed,
                        descriptor,
                    }
                }
            ),
            any::<[u64; 32]>().prop_map(|seed| {
                let mut sums = Box::new([0; BUCKETS]);
                sums[..32].copy_from_slice(&seed);
                Control::Digest(sums)
            }),
            (
                any::<u8>(),
                proptest::collection::vec(any::<(u64, u32)>(), 0..BUCKET_ITEMS_MAX)
            )
                .prop_map(|(bucket, items)| Control::Bucket(bucket, items)),
            (
                any::<u8>(),
                proptest::collection::vec(any::<u64>(), 0..WANT_MAX)
            )
                .prop_map(|(bucket, ids)| Control::Want(bucket, ids)),
            proptest::collection::vec(blob, 0..DESCRIPTORS_MAX).prop_map(Control::Descriptors),
            any::<u64>().prop_map(Control::Ping),
            any::<u64>().prop_map(Control::Pong),
            proptest::collection::vec(any::<(u64, u32)>(), 0..=OFFER_MAX).prop_map(Control::Offer),
            proptest::collection::vec(any::<(u64, u32)>(), 0..=OFFER_MAX).prop_map(Control::Ask),
        ]
    }

    #[test]
    fn messages_have_these_bytes() {
        assert_eq!(Control::Ping(258).encode(), [6, 0, 0, 0, 0, 0, 0, 1, 2]);
        let hello = Control::Hello {
            observed: "127.0.0.1:80".parse().unwrap(),
            descriptor: None,
        };
        assert_eq!(hello.encode(), [1, 4, 127, 0, 0, 1, 0, 80, 0]);
        assert_eq!(
            Control::Want(9, vec![1]).encode(),
            [4, 9, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1]
        );
        let names = vec![(258, 3)];
        let body = [0, 1, 0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 3];
        assert_eq!(Control::Offer(names.clone()).encode()[1..], body);
        assert_eq!(Control::Ask(names).encode()[1..], body);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_and_fits_a_record(message in any_control()) {
            let bytes = message.encode();
            prop_assert!(bytes.len() <= CONTROL_MAX);
            prop_assert_eq!(Control::decode(&bytes), Ok(message));
        }

        #[test]
        fn every_truncation_and_every_trailing_byte_is_refused(message in any_control(), cut in any::<prop::sample::Index>()) {
            let mut bytes = message.encode();
            let cut = cut.index(bytes.len());
            prop_assert!(Control::decode(&bytes[..cut]).is_err());
            bytes.push(0);
            prop_assert!(Control::decode(&bytes).is_err());
        }

        #[test]
        fn damaged_messages_never_panic_and_are_canonical(
            message in any_control(), at in any::<prop::sample::Index>(), to in any::<u8>()
        ) {
            let mut bytes = message.encode();
            let at = at.index(bytes.len());
            bytes[at] = to;
            if let Ok(read) = Control::decode(&bytes) {
                prop_assert_eq!(read.encode(), bytes);
            }
        }
    }
}
