//! What went over links, sorted by what it belongs to: control, streams, circuits.

use std::collections::BTreeMap;

use oboro_core::ids::LinkId;
use oboro_core::wire::frame::{Frame, Frames};
use oboro_crypto::record::RECORD_PLAIN;

use crate::world::watch::{Passed, Watch};

/// A link, by the lesser of its two ends' names, and a number on it.
pub type Wire = (LinkId, u32);

/// A stream on a link.
#[derive(Default)]
pub struct Stream {
    pub opener: usize,
    pub other: usize,
    pub there: Vec<u8>,
    pub back: Vec<u8>,
}

/// A circuit on one of the links that it goes over.
#[derive(Default)]
pub struct Hop {
    /// Nearer to the client.
    pub maker: usize,
    pub taker: usize,
    pub create: Vec<u8>,
    pub created: Vec<u8>,
    pub forward: Vec<Vec<u8>>,
    pub backward: Vec<Vec<u8>>,
}

/// Control messages of a link, both ways.
pub struct Control {
    pub ends: [usize; 2],
    pub bytes: Vec<u8>,
}

#[derive(Default)]
pub struct Wires {
    pub streams: BTreeMap<Wire, Stream>,
    pub hops: BTreeMap<Wire, Hop>,
    pub controls: BTreeMap<LinkId, Control>,
    /// Records in all, and those that hold a cell and something else.
    pub records: usize,
    pub shared_cells: usize,
}

impl Wires {
    pub fn new(watch: &Watch) -> Self {
        let mut wires = Self::default();
        for passed in &watch.passed {
            for record in passed.plain.chunks(RECORD_PLAIN) {
                assert_eq!(record.len(), RECORD_PLAIN);
                wires.records += 1;
                wires.record(passed, record);
            }
        }
        wires
    }

    fn record(&mut self, passed: &Passed, record: &[u8]) {
        let (from, to) = (passed.from.0, passed.to.0);
        let link = passed.from.1.min(passed.to.1);
        let mut frames = Frames::new(record);
        let (mut count, mut cells) = (0, 0);
        while let Some(frame) = frames.next_frame().expect("nodes send whole frames") {
            count += 1;
            match frame {
                Frame::Control(body) => {
                    let control = self.controls.entry(link).or_insert_with(|| Control {
                        ends: [from, to],
                        bytes: Vec::new(),
                    });
                    control.bytes.extend_from_slice(body);
                }
                Frame::Open(number) => {
                    let stream = Stream {
                        opener: from,
                        other: to,
                        ..Stream::default()
                    };
                    assert!(self.streams.insert((link, number), stream).is_none());
                }
                Frame::Data(number, data) => {
                    let stream = self.streams.get_mut(&(link, number)).expect("opened");
                    if stream.opener == from {
                        stream.there.extend_from_slice(data);
                    } else {
                        stream.back.extend_from_slice(data);
                    }
                }
                Frame::Create(number, body) => {
                    let hop = Hop {
                        maker: from,
                        taker: to,
                        create: body.to_vec(),
                        ..Hop::default()
                    };
                    assert!(self.hops.insert((link, number), hop).is_none());
                }
                Frame::Created(number, body) => {
                    let hop = self.hops.get_mut(&(link, number)).expect("created");
                    hop.created = body.to_vec();
                }
                Frame::Cell(number, body) => {
                    cells += 1;
                    let hop = self.hops.get_mut(&(link, number)).expect("created");
                    if hop.maker == from {
                        hop.forward.push(body.to_vec());
                    } else {
                        hop.backward.push(body.to_vec());
                    }
                }
                Frame::Credit(..) | Frame::Close(..) | Frame::Destroy(_) => {}
            }
        }
        self.shared_cells += usize::from(cells > 0 && count > 1);
    }
}
