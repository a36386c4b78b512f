//! Messages in a stream: two bytes of length, then a Noise message.

use oboro_crypto::provider::Session;
use oboro_crypto::session::{SEAL_OVERHEAD, SessionError};

use crate::limits::MESSAGE_MAX;
use crate::wire::WireError;

/// Bytes before a message.
pub(super) const LENGTH: usize = 2;

/// The first whole message in these bytes; `None` while it is not whole.
pub(super) fn message(bytes: &[u8]) -> Option<Result<&[u8], WireError>> {
    let (length, rest) = bytes.split_first_chunk::<LENGTH>()?;
    let length = usize::from(u16::from_be_bytes(*length));
    if length < SEAL_OVERHEAD {
        return Some(Err(WireError::Invalid));
    }
    rest.get(..length).map(Ok)
}

/// Puts the length in front of a handshake message.
pub(super) fn wrap(message: &[u8]) -> Result<Vec<u8>, WireError> {
    let length = u16::try_from(message.len()).map_err(|_| WireError::TooLong)?;
    let mut out = Vec::with_capacity(LENGTH + message.len());
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(message);
    Ok(out)
}

/// Seals a plaintext in a session, with its length in front.
pub(super) fn seal(session: &mut dyn Session, plain: &[u8]) -> Result<Vec<u8>, SessionError> {
    let length = plain.len() + SEAL_OVERHEAD;
    debug_assert!(
        length <= MESSAGE_MAX,
        "a message longer than its length can say"
    );
    let mut out = Vec::with_capacity(LENGTH + length);
    out.extend_from_slice(&u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes());
    session.seal(plain, &mut out)?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_seen_when_it_is_whole_and_not_before() {
        let wrapped = wrap(&[7; 20]).unwrap();
        for cut in 0..wrapped.len() {
            assert!(message(&wrapped[..cut]).is_none());
        }
        assert_eq!(message(&wrapped), Some(Ok(&[7u8; 20][..])));
    }

    #[test]
    fn a_message_too_short_for_its_tag_is_refused_at_once() {
        assert!(matches!(message(&[0, 15]), Some(Err(_))));
    }
}
