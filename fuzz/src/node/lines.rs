//! The strangers' ends of the links, and the streams on them.

use std::collections::BTreeMap;

use oboro_core::ids::LinkId;
use oboro_core::wire::control::Control;
use oboro_core::wire::frame::Frame;

use super::words;

/// Bytes of a stream that are remembered, to read the request in them.
const REMEMBERED_MAX: usize = 8 * 1024;

/// A link to a stranger.
pub(super) struct Line {
    pub(super) id: LinkId,
    /// Whether the node dialled it.
    pub(super) dialled: bool,
    /// Records that the node may send.
    pub(super) granted: u32,
    /// What the node has said on each stream that the stranger opened.
    served: BTreeMap<u32, Vec<u8>>,
}

/// A stream that the node opened.
pub(super) struct Asked {
    pub(super) link: LinkId,
    pub(super) number: u32,
    /// How it began: the request is in there.
    pub(super) begun: Vec<u8>,
    /// Bytes that came and for which no credit was given.
    pub(super) uncredited: u32,
    /// How often the stranger has answered.
    pub(super) turn: u32,
}

impl Line {
    pub(super) const fn new(id: LinkId, dialled: bool) -> Self {
        Self {
            id,
            dialled,
            granted: 0,
            served: BTreeMap::new(),
        }
    }

    /// Looks at a frame that the node has sent.
    pub(super) fn heard(&mut self, asked: &mut Vec<Asked>, frame: &Frame<'_>) {
        let link = self.id;
        let is_ours = |number: u32| (number % 2 == 1) == self.dialled;
        match *frame {
            Frame::Control(body) => assert!(Control::decode(body).is_ok()),
            // Its cipher accepts no create, so it can only refuse them.
            Frame::Destroy(number) => assert!(!is_ours(number)),
            Frame::Create(..) | Frame::Created(..) | Frame::Cell(..) => {
                panic!("a node of a network without hops speaks of circuits")
            }
            Frame::Open(number) => {
                assert!(is_ours(number));
                asked.push(Asked {
                    link,
                    number,
                    begun: Vec::new(),
                    uncredited: 0,
                    turn: 0,
                });
            }
            Frame::Data(number, bytes) if is_ours(number) => {
                let known = asked
                    .iter_mut()
                    .find(|asked| asked.link == link && asked.number == number)
                    .expect("a stream that was opened");
                known.uncredited += bytes.len() as u32;
                let room = REMEMBERED_MAX.saturating_sub(known.begun.len());
                known
                    .begun
                    .extend_from_slice(&bytes[..bytes.len().min(room)]);
            }
            Frame::Data(number, bytes) => {
                self.served
                    .entry(number)
                    .or_default()
                    .extend_from_slice(bytes);
            }
            Frame::Close(number, _) => {
                asked.retain(|asked| asked.link != link || asked.number != number);
                if let Some(said) = self.served.remove(&number) {
                    words::check_served(&said);
                }
            }
            Frame::Credit(..) => {}
        }
    }
}
