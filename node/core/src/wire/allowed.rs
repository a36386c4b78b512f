//! What is legal when. A peer reaches no parser it does not need.

use super::frame::Frame;

/// How far a link is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Nothing has been heard yet: only a hello is legal.
    New,
    /// The hello has been heard.
    Greeted,
}

/// Whether a frame is legal on a link in this phase.
#[must_use]
pub const fn frame(phase: Phase, frame: &Frame<'_>) -> bool {
    match (phase, frame) {
        (Phase::New, Frame::Control(body)) => is_hello(body),
        (Phase::New, _) => false,
        (Phase::Greeted, Frame::Control(body)) => !is_hello(body),
        (Phase::Greeted, _) => true,
    }
}

const fn is_hello(body: &[u8]) -> bool {
    matches!(body.first(), Some(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::frame::CloseReason;

    #[test]
    fn only_a_hello_is_legal_first_and_never_again() {
        let others = [
            Frame::Control(&[6]),
            Frame::Open(1),
            Frame::Data(1, &[0]),
            Frame::Credit(1, 1),
            Frame::Close(1, CloseReason::Done),
        ];
        for other in &others {
            assert!(!frame(Phase::New, other));
            assert!(frame(Phase::Greeted, other));
        }
        assert!(frame(Phase::New, &Frame::Control(&[1, 4])));
        assert!(!frame(Phase::Greeted, &Frame::Control(&[1, 4])));
        assert!(!frame(Phase::New, &Frame::Control(&[])));
    }
}
