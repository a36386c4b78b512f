//! Finding many byte strings in many bytes, and what two heaps of bytes have in common.

/// The shortest string that can be looked for.
const SHORTEST: usize = 6;
/// How long a string that two heaps share must be to be of interest.
pub const SHARED: usize = 16;

/// A set of numbers that may say yes by mistake.
struct Filter(Vec<u64>);

impl Filter {
    fn new() -> Self {
        Self(vec![0; 1 << 17])
    }

    fn place(key: u64) -> (usize, u64) {
        let hash = key.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 41;
        ((hash >> 6) as usize, 1 << (hash & 63))
    }

    fn add(&mut self, key: u64) {
        let (word, bit) = Self::place(key);
        self.0[word] |= bit;
    }

    fn may_have(&self, key: u64) -> bool {
        let (word, bit) = Self::place(key);
        self.0[word] & bit != 0
    }
}

/// Strings, each with what it stands for.
pub struct Finder<M> {
    strings: Vec<(Vec<u8>, M)>,
    /// The first bytes of each.
    keys: Vec<(u64, usize)>,
    filter: Filter,
}

impl<M> Finder<M> {
    pub fn new(strings: Vec<(Vec<u8>, M)>) -> Self {
        let mut filter = Filter::new();
        let mut keys: Vec<(u64, usize)> = Vec::new();
        for (number, (string, _)) in strings.iter().enumerate() {
            assert!(string.len() >= SHORTEST, "too short to be told from chance");
            let key = start(string);
            filter.add(key);
            keys.push((key, number));
        }
        keys.sort_unstable();
        Self {
            strings,
            keys,
            filter,
        }
    }

    /// Calls for each string found in these bytes: where it begins, how long it is, what it stands for.
    pub fn each<'a>(&'a self, bytes: &[u8], mut found: impl FnMut(usize, usize, &'a M)) {
        for at in 0..bytes.len().saturating_sub(SHORTEST - 1) {
            let rest = &bytes[at..];
            let key = start(rest);
            if !self.filter.may_have(key) {
                continue;
            }
            let first = self.keys.partition_point(|(other, _)| *other < key);
            for (_, number) in self.keys[first..]
                .iter()
                .take_while(|(other, _)| *other == key)
            {
                let (string, mark) = &self.strings[*number];
                if rest.starts_with(string) {
                    found(at, string.len(), mark);
                }
            }
        }
    }
}

fn start(bytes: &[u8]) -> u64 {
    bytes[..SHORTEST]
        .iter()
        .fold(0, |key, &byte| key << 8 | u64::from(byte))
}

/// Heaps of bytes, each with a name, in which others are looked for.
pub struct Heaps<'a, N> {
    heaps: Vec<(N, &'a [u8])>,
    words: Vec<(u64, usize, usize)>,
    filter: Filter,
}

impl<'a, N: Copy> Heaps<'a, N> {
    pub fn new(heaps: Vec<(N, &'a [u8])>) -> Self {
        let (mut filter, mut words) = (Filter::new(), Vec::new());
        for (number, (_, heap)) in heaps.iter().enumerate() {
            // Every string of 15 bytes has a whole one of these in it.
            for (place, word) in heap.chunks_exact(8).enumerate() {
                if varied(word, 5) {
                    let word = whole(word);
                    filter.add(word);
                    words.push((word, number, place * 8));
                }
            }
        }
        words.sort_unstable();
        Self {
            heaps,
            words,
            filter,
        }
    }

    /// The first string of 16 bytes and more that one of the heaps shares with these bytes and that chance or layout do
    /// not explain. `asked`: which heaps.
    pub fn shared(&self, bytes: &[u8], asked: impl Fn(N) -> bool) -> Option<(N, Vec<u8>)> {
        for at in 0..bytes.len().saturating_sub(7) {
            let word = whole(&bytes[at..at + 8]);
            if !self.filter.may_have(word) {
                continue;
            }
            let first = self.words.partition_point(|(other, ..)| *other < word);
            for &(_, number, place) in self.words[first..]
                .iter()
                .take_while(|(other, ..)| *other == word)
            {
                let (name, heap) = self.heaps[number];
                if !asked(name) {
                    continue;
                }
                let string = common(heap, place, bytes, at);
                if string.len() >= SHARED && varied(string, 10) {
                    return Some((name, string.to_vec()));
                }
            }
        }
        None
    }
}

/// What surrounds two places and is the same, as far as that is of interest.
fn common<'a>(a: &'a [u8], at_a: usize, b: &[u8], at_b: usize) -> &'a [u8] {
    let before = a[..at_a]
        .iter()
        .rev()
        .zip(b[..at_b].iter().rev())
        .take(SHARED)
        .take_while(|(a, b)| a == b)
        .count();
    let behind = a[at_a..]
        .iter()
        .zip(&b[at_b..])
        .take(SHARED)
        .take_while(|(a, b)| a == b)
        .count();
    &a[at_a - before..at_a + behind]
}

/// Whether so many different bytes are in it: keys, names and ciphertext have them, lengths and numbers do not.
fn varied(bytes: &[u8], least: u32) -> bool {
    let mut seen = [0u64; 4];
    for &byte in bytes {
        seen[usize::from(byte >> 6)] |= 1 << (byte & 63);
    }
    seen.iter().map(|part| part.count_ones()).sum::<u32>() >= least
}

fn whole(word: &[u8]) -> u64 {
    u64::from_le_bytes(*word.first_chunk().expect("eight bytes"))
}

#[test]
fn strings_are_found_wherever_they_begin_and_only_they() {
    let finder = Finder::new(vec![(b"secret".to_vec(), 1), (b"secrets".to_vec(), 2)]);
    let mut found = Vec::new();
    finder.each(b"xsecretsecre secrets", |at, _, mark| {
        found.push((at, *mark))
    });
    assert_eq!(found, [(1, 1), (1, 2), (13, 1), (13, 2)]);
}

#[test]
fn what_two_heaps_share_is_found_at_any_place() {
    let string: Vec<u8> = (100..116).collect();
    for (left, right) in [(0, 0), (3, 9), (8, 5), (17, 31)] {
        let [a, b] = [(left, 1), (right, 2)].map(|(count, byte)| {
            let mut heap = vec![byte; count];
            heap.extend_from_slice(&string);
            heap.extend_from_slice(&[byte; 9]);
            heap
        });
        let heaps = Heaps::new(vec![((), a.as_slice())]);
        assert_eq!(heaps.shared(&b, |()| true).unwrap().1, string);
        assert!(
            heaps.shared(&b[..right + 15], |()| true).is_none(),
            "15 bytes"
        );
    }
}
