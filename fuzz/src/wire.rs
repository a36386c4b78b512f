//! The families of `oboro_core::wire`: what is accepted is canonical.

use std::sync::LazyLock;

use oboro_core::wire::cell::CellFrames;
use oboro_core::wire::control::Control;
use oboro_core::wire::descriptor::{DESCRIPTOR_MAX, Descriptor};
use oboro_core::wire::frame::Frames;
use oboro_core::wire::invite::Invite;
use oboro_core::wire::message::{Reply, Request, decode_chunk, encode_chunk};
use oboro_crypto::hash::hash;
use oboro_crypto::keys::IdentityKey;
use oboro_crypto::labels;
use oboro_crypto::provider::RealProvider;

use crate::links::{NETWORK, rng};

/// The frames of a record, and the control messages in them.
pub fn frames(data: &[u8]) {
    let (mut frames, mut again) = (Frames::new(data), Vec::new());
    loop {
        match frames.next_frame() {
            Ok(Some(frame)) => {
                let before = again.len();
                frame.write(&mut again);
                assert_eq!(again.len() - before, frame.encoded_len());
            }
            Ok(None) => break,
            Err(_) => return,
        }
    }
    let rest = data.strip_prefix(again.as_slice()).expect("the same again");
    assert!(rest.iter().all(|&byte| byte == 0));
}

/// The frames of a cell.
pub fn cell(data: &[u8]) {
    let (mut frames, mut again) = (CellFrames::new(data), Vec::new());
    loop {
        match frames.next_frame() {
            Ok(Some(frame)) => {
                let before = again.len();
                frame.write(&mut again);
                assert_eq!(again.len() - before, frame.encoded_len());
            }
            Ok(None) => break,
            Err(_) => return,
        }
    }
    let rest = data.strip_prefix(again.as_slice()).expect("the same again");
    assert!(rest.iter().all(|&byte| byte == 0));
}

/// A control message.
pub fn control(data: &[u8]) {
    if let Ok(message) = Control::decode(data) {
        assert_eq!(message.encode(), data);
    }
}

pub(crate) static MAKER: LazyLock<IdentityKey> =
    LazyLock::new(|| IdentityKey::generate(&mut rng(1)));

/// What a hostile node signs as its descriptor.
pub fn descriptor(data: &[u8]) {
    if data.len() > DESCRIPTOR_MAX {
        return assert!(Descriptor::decode(data).is_err());
    }
    let _ = Descriptor::decode(data);
    let signature = MAKER.sign(labels::DESCRIPTOR, &[NETWORK.as_bytes(), data]);
    let signed = [data, &signature.0].concat();
    if let Ok(descriptor) = Descriptor::open(&signed, &NETWORK, &RealProvider) {
        assert_eq!(descriptor.sign(&NETWORK, &MAKER), signed);
    }
}

/// A request in a session.
pub fn request(data: &[u8]) {
    if let Ok(request) = Request::decode(data) {
        assert_eq!(request.encode(), data);
    }
}

/// A reply in a session.
pub fn reply(data: &[u8]) {
    if let Ok(reply) = Reply::decode(data) {
        assert_eq!(reply.encode(), data);
    }
}

/// A chunk in a session.
pub fn chunk(data: &[u8]) {
    if let Ok((index, body)) = decode_chunk(data) {
        assert_eq!(encode_chunk(index, body), data);
    }
}

/// What every invite begins with.
pub(crate) const PREFIX: &str = "oboro-invite:";

/// An invite: as a line, and as the bytes in one whose checksum is right.
pub fn invite(data: &[u8]) {
    let line = String::from_utf8_lossy(data);
    if let Ok(invite) = Invite::parse(&line) {
        assert!(invite.encode().eq_ignore_ascii_case(line.trim()));
    }
    let sum = hash(labels::INVITE, &[data]);
    let text = data_encoding::BASE32_NOPAD.encode(&[data, &sum[..4]].concat());
    let line = format!("{PREFIX}{}", text.to_lowercase());
    if let Ok(invite) = Invite::parse(&line) {
        assert_eq!(invite.encode(), line);
    }
}
