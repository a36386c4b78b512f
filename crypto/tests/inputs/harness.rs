//! Feeds decoders with bytes nobody would send: random ones, and valid ones that were damaged.
//!
//! Promises: the same inputs on every run, whatever the machine; a failure names the decoder and the number of the input;
//! one decoder runs at a time, so that the memory that is measured is its own.
//!
//! Does not know: what is decoded. How many inputs there are is read from `OBORO_INPUTS`.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore as _, SeedableRng as _};

/// What an input costs its decoder: decides how many there are if nobody says otherwise.
#[derive(Clone, Copy)]
pub(crate) enum Cost {
    /// Microseconds.
    Parsing,
    /// A key agreement, a signature or a small Argon2id: a tenth of a millisecond and more.
    PublicKey,
}

impl Cost {
    const fn default_inputs(self) -> u64 {
        match self {
            Self::Parsing => 20_000,
            Self::PublicKey => 1_000,
        }
    }
}

/// Most that feeding one decoder may add to the resident memory of this process at any moment, in bytes. The longest
/// input is 64 KiB and the costliest decoder allows itself 1 MiB; the rest is room for an allocator that keeps what was
/// freed. A decoder that believes a length of four bytes, or keeps something of each input, goes far beyond.
const GROWTH_MAX: u64 = 48 << 20;

/// Bytes of the longest invented input beyond the longest valid one.
const LONGER: usize = 64;

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Feeds a decoder with damaged copies of `valid` inputs and with noise. `decode` says whether it accepted.
///
/// Panics if the decoder does, if it refuses one of `valid`, or if memory grows beyond [`GROWTH_MAX`].
pub(crate) fn feed(
    name: &str,
    cost: Cost,
    valid: &[Vec<u8>],
    mut decode: impl FnMut(&[u8]) -> bool,
) {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    for (number, input) in valid.iter().enumerate() {
        assert!(decode(input), "{name}: valid input {number} was refused");
    }
    let inputs = wanted(cost);
    let mut source = Source::new(name, valid);
    let (memory, begun) = (Memory::begin(), Instant::now());
    let mut accepted = 0u64;
    for number in 0..inputs {
        let failure = Naming { name, number };
        accepted += u64::from(decode(source.next()));
        drop(failure);
    }
    let growth = memory.growth();
    eprintln!(
        "{name}: {inputs} inputs, {accepted} accepted, {:.1} s, memory {}",
        begun.elapsed().as_secs_f64(),
        growth.map_or("not measured here".to_owned(), |bytes| format!(
            "+{} KiB",
            bytes / 1024
        )),
    );
    assert!(
        growth.is_none_or(|bytes| bytes <= GROWTH_MAX),
        "{name}: memory grew by {growth:?} bytes"
    );
}

/// How many inputs: `OBORO_INPUTS`, or what suits the cost.
fn wanted(cost: Cost) -> u64 {
    std::env::var("OBORO_INPUTS").map_or(cost.default_inputs(), |text| {
        text.parse().expect("OBORO_INPUTS is a number of inputs")
    })
}

/// Says which input it was if the decoder panics.
struct Naming<'a> {
    name: &'a str,
    number: u64,
}

impl Drop for Naming<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "{}: input {} did it; OBORO_INPUTS={} stops right after it",
                self.name,
                self.number,
                self.number + 1
            );
        }
    }
}

/// Makes the inputs of one decoder, the same ones each time.
pub(crate) struct Source<'a> {
    valid: &'a [Vec<u8>],
    longest: usize,
    rng: ChaCha20Rng,
    input: Vec<u8>,
}

impl<'a> Source<'a> {
    fn new(name: &str, valid: &'a [Vec<u8>]) -> Self {
        let seed = oboro_crypto::hash::blake2b_256(name.as_bytes());
        let longest = valid.iter().map(Vec::len).max().unwrap_or(0);
        Self {
            valid,
            longest,
            rng: ChaCha20Rng::from_seed(seed),
            input: Vec::new(),
        }
    }

    /// The next input: one in eight is noise, the others are valid ones with one to eight changes.
    fn next(&mut self) -> &[u8] {
        self.input.clear();
        if self.valid.is_empty() || self.below(8) == 0 {
            self.noise();
        } else {
            let chosen = self.below(self.valid.len());
            self.input
                .extend_from_slice(self.valid.get(chosen).map_or(&[], Vec::as_slice));
            for _ in 0..=self.below(8) {
                self.change();
            }
        }
        &self.input
    }

    /// Random bytes: half of the time as long as a valid input, else of any length.
    fn noise(&mut self) {
        let length = match self.valid.len() {
            0 => self.below(LONGER),
            count if self.below(2) == 0 => {
                let chosen = self.below(count);
                self.valid.get(chosen).map_or(0, Vec::len)
            }
            _ => self.below(self.longest + LONGER),
        };
        self.input.resize(length, 0);
        self.rng.fill_bytes(&mut self.input);
    }

    fn change(&mut self) {
        let length = self.input.len();
        let at = self.below(length + 1);
        let span = self.below(length - at + 1).min(1 + self.below(64));
        let byte = self.rng.next_u32() as u8;
        match self.below(9) {
            0 => self.edit(at, |old| old ^ (1 << (byte & 7))),
            1 => self.edit(at, |_| byte),
            2 => self.edit(at, |old| old.wrapping_add(1)),
            3 => self.number(at),
            4 => self.input.truncate(at),
            5 => drop(self.input.drain(at..at + span)),
            6 => self
                .input
                .splice(at..at, vec![byte; span.max(1)])
                .for_each(drop),
            7 => {
                let copy = self.input[at..at + span].to_vec();
                self.input.splice(at..at, copy).for_each(drop);
            }
            _ => self.graft(at),
        }
        self.input.truncate(self.longest + LONGER);
    }

    /// Writes a number that lengths and counts stumble over, in one to eight bytes of either order.
    fn number(&mut self, at: usize) {
        const TELLING: [u64; 8] = [0, 1, 0x7f, 0x80, 0xffff, 0x7fff_ffff, 0xffff_ffff, u64::MAX];
        let value = TELLING[self.below(TELLING.len())];
        let (big, little) = (value.to_be_bytes(), value.to_le_bytes());
        let width = 1 << self.below(4);
        let bytes = if self.below(2) == 0 {
            &big[8 - width..]
        } else {
            &little[..width]
        };
        for (place, byte) in self.input.iter_mut().skip(at).zip(bytes) {
            *place = *byte;
        }
    }

    /// Goes on with the end of another valid input.
    fn graft(&mut self, at: usize) {
        let other = self.below(self.valid.len());
        let from = self.valid.get(other).map_or(&[][..], Vec::as_slice);
        let start = self.below(from.len() + 1);
        self.input.truncate(at);
        self.input.extend_from_slice(&from[start..]);
    }

    fn edit(&mut self, at: usize, change: impl FnOnce(u8) -> u8) {
        if let Some(byte) = self.input.get_mut(at) {
            *byte = change(*byte);
        }
    }

    /// A number below `bound`, or 0.
    fn below(&mut self, bound: usize) -> usize {
        self.rng.next_u32() as usize % bound.max(1)
    }
}

/// Resident memory of this process since a moment, where the system tells (Linux).
struct Memory {
    base: Option<u64>,
}

impl Memory {
    fn begin() -> Self {
        // 5 resets the high-water mark (proc(5), clear_refs).
        let reset = std::fs::write("/proc/self/clear_refs", "5").is_ok();
        Self {
            base: if reset { Self::peak() } else { None },
        }
    }

    /// Bytes between the beginning and the highest mark since.
    fn growth(&self) -> Option<u64> {
        Some(Self::peak()?.saturating_sub(self.base?))
    }

    fn peak() -> Option<u64> {
        let status = std::fs::read_to_string("/proc/self/status").ok()?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))?;
        let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kib * 1024)
    }
}
