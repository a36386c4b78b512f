//! A client of circuits in the test's own hands: it says on its link, and in its cells, whatever it likes.

use oboro_core::ids::LinkId;
use oboro_core::wire::cell::{CellFrame, CellFrames};
use oboro_core::wire::frame::{CloseReason, Frame};
use oboro_crypto::circuit::Hop;
use oboro_crypto::ids::NodeId;
use oboro_crypto::provider::{Building, ClientLayers, Provider, RealProvider};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use crate::world::World;
use crate::world::puppet::{Heard, pack, unpack};

/// A stranger's link to a machine.
pub struct Stranger {
    pub to: usize,
    pub link: LinkId,
    heard: usize,
    next: u32,
    rng: ChaCha20Rng,
}

/// A circuit of its own that waits, or is ready.
pub struct Circuit {
    pub number: u32,
    building: Option<Box<dyn Building>>,
    layers: Option<Box<dyn ClientLayers>>,
}

/// A frame that an exit sent.
#[derive(Debug, PartialEq, Eq)]
pub enum Said {
    Data(u32, Vec<u8>),
    Credit(u32, u32),
    Close(u32, CloseReason),
    Window(u32),
    Echo(u64),
}

impl Stranger {
    /// Links to a machine and greets.
    pub fn meet(world: &mut World, to: usize) -> Self {
        Self::meet_reading(world, to, 1_000_000)
    }

    /// The same, but reads no more than so many records.
    pub fn meet_reading(world: &mut World, to: usize, records: u32) -> Self {
        let link = world.connect_reader(to, records);
        world.greet(to, link, None);
        let mut seed = [0x5e; 32];
        seed[..8].copy_from_slice(&link.0.to_be_bytes());
        Self {
            to,
            link,
            heard: 0,
            next: 1,
            rng: ChaCha20Rng::from_seed(seed),
        }
    }

    /// A number that was not used yet.
    pub fn number(&mut self) -> u32 {
        self.next += 2;
        self.next - 2
    }

    /// A create over these machines, and what waits for its answer.
    pub fn create(&mut self, world: &World, path: &[usize]) -> (Circuit, Vec<u8>) {
        let hops: Vec<Hop> = path
            .iter()
            .map(|&index| Hop {
                node: world.machines[index].id,
                onion: world.machines[index].onion,
            })
            .collect();
        let minute = (world.now.secs() / 60) as u32;
        let (building, body) = RealProvider
            .create(&hops, &world.network.id(), minute, &mut self.rng)
            .unwrap();
        let circuit = Circuit {
            number: self.number(),
            building: Some(building),
            layers: None,
        };
        (circuit, body)
    }

    /// Begins a circuit over these machines, the first being the one it is linked to.
    pub fn begin(&mut self, world: &mut World, path: &[usize]) -> Circuit {
        let (circuit, body) = self.create(world, path);
        self.say(world, &[Frame::Create(circuit.number, &body)]);
        circuit
    }

    /// The same, and waits until it is built.
    pub fn build(&mut self, world: &mut World, path: &[usize]) -> Circuit {
        let mut circuit = self.begin(world, path);
        for _ in 0..200 {
            world.run(std::time::Duration::from_millis(20));
            circuit.hear(&self.hear(world));
            if circuit.is_built() {
                return circuit;
            }
        }
        panic!("not built");
    }

    pub fn say(&self, world: &mut World, frames: &[Frame<'_>]) {
        world.inject(self.to, self.link, pack(frames));
    }

    /// Says frames in one cell of a circuit.
    pub fn tell(&self, world: &mut World, circuit: &mut Circuit, frames: &[CellFrame<'_>]) {
        let cell = circuit.cell(frames);
        self.say(world, &[Frame::Cell(circuit.number, &cell)]);
    }

    /// What the machine has said since the last time.
    pub fn hear(&mut self, world: &World) -> Vec<Heard> {
        let all = &world.overheard[&self.link];
        let heard = unpack(&all[self.heard..]);
        self.heard = all.len();
        heard
    }
}

impl Circuit {
    /// Takes what was heard on its link: whether it is built, and what its exit says.
    pub fn hear(&mut self, heard: &[Heard]) -> Vec<Said> {
        let mut said = Vec::new();
        for heard in heard {
            match heard {
                Heard::Created(number, body) if *number == self.number => {
                    let building = self.building.take().expect("answered once");
                    self.layers = Some(building.finish(body).expect("all hops have answered"));
                }
                Heard::Cell(number, body) if *number == self.number => {
                    let mut body = body.clone();
                    let layers = self.layers.as_mut().expect("built");
                    let payload = layers.open(&mut body).expect("rightly sealed");
                    let mut frames = CellFrames::new(payload);
                    while let Some(frame) = frames.next_frame().unwrap() {
                        said.push(match frame {
                            CellFrame::Data(number, bytes) => Said::Data(number, bytes.to_vec()),
                            CellFrame::Credit(number, bytes) => Said::Credit(number, bytes),
                            CellFrame::Close(number, reason) => Said::Close(number, reason),
                            CellFrame::Window(cells) => Said::Window(cells),
                            CellFrame::Echo(nonce) => Said::Echo(nonce),
                            CellFrame::Begin(..) | CellFrame::Probe(_) => {
                                panic!("an exit does not say that")
                            }
                        });
                    }
                }
                _ => {}
            }
        }
        said
    }

    pub fn is_built(&self) -> bool {
        self.layers.is_some()
    }

    /// A cell with these frames in it.
    pub fn cell(&mut self, frames: &[CellFrame<'_>]) -> Vec<u8> {
        let mut payload = Vec::new();
        frames.iter().for_each(|frame| frame.write(&mut payload));
        self.cell_of(&payload)
    }

    /// A cell with these bytes in it.
    pub fn cell_of(&mut self, payload: &[u8]) -> Vec<u8> {
        let mut cell = Vec::new();
        let layers = self.layers.as_mut().expect("built");
        layers.seal(payload, &mut cell).unwrap();
        cell
    }
}

/// Whether a circuit was ended by the machine.
pub fn is_destroyed(heard: &[Heard], circuit: &Circuit) -> bool {
    heard.contains(&Heard::Destroy(circuit.number))
}

/// An id that nobody has.
pub const NOBODY: NodeId = NodeId([0x99; 32]);
