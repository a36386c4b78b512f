//! Frames as a fuzzer spells them.

use oboro_core::wire::control::Control;
use oboro_core::wire::frame::{CloseReason, DATA_MAX, Frame};
use oboro_crypto::record::RECORD_PLAIN;

use super::library::{address, descriptor, plain_descriptor};
use super::steps::Say;

/// A record of frames, as many as fit.
pub(super) fn record(frames: &[Say], now_secs: u64) -> Vec<u8> {
    let mut record = Vec::new();
    for say in frames {
        let before = record.len();
        write(say, now_secs, &mut record);
        if record.len() > RECORD_PLAIN {
            record.truncate(before);
            break;
        }
    }
    record
}

fn write(say: &Say, now_secs: u64, out: &mut Vec<u8>) {
    let control = match say {
        Say::Open(stream) => return Frame::Open((*stream).into()).write(out),
        Say::Data { stream, bytes } => {
            let piece = &bytes[..bytes.len().min(DATA_MAX)];
            return Frame::Data((*stream).into(), piece).write(out);
        }
        Say::Credit { stream, bytes } => {
            return Frame::Credit((*stream).into(), *bytes).write(out);
        }
        Say::Close { stream, reason } => {
            let reason = match reason % 3 {
                0 => CloseReason::Done,
                1 => CloseReason::Failed,
                _ => CloseReason::Busy,
            };
            return Frame::Close((*stream).into(), reason).write(out);
        }
        Say::Control(bytes) => {
            let length = bytes.len().min(RECORD_PLAIN - 3);
            return Frame::Control(&bytes[..length]).write(out);
        }
        Say::Hello { stranger: number } => Control::Hello {
            observed: address(200),
            descriptor: number.map(plain_descriptor),
        },
        Say::Digest { fill } => Control::Digest(Box::new([*fill; 256])),
        Say::Bucket { bucket, items } => {
            Control::Bucket(*bucket, items.iter().take(300).copied().collect())
        }
        Say::WantAll { bucket, ids } => {
            Control::Want(*bucket, ids.iter().take(300).copied().collect())
        }
        Say::Descriptors(all) => {
            let encoded = all.iter().take(8).map(|one| descriptor(one, now_secs));
            Control::Descriptors(encoded.collect())
        }
        Say::Offer(names) => Control::Offer(names.iter().take(300).copied().collect()),
        Say::Ask(names) => Control::Ask(names.iter().take(300).copied().collect()),
        Say::Ping(nonce) => Control::Ping(*nonce),
        Say::Pong(nonce) => Control::Pong(*nonce),
    };
    Frame::Control(&control.encode()).write(out);
}
