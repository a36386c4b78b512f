//! Extents that are gone, from the rest of their group and its parity.

use reed_solomon_simd::ReedSolomonDecoder;

use super::{COLUMNS, Group, LEAF, Read, Write};
use crate::eris::{Pair, leaf_reference};

/// An extent that is to be recovered.
pub struct Missing {
    /// Its number among the file's leaf extents.
    pub extent: u64,
    /// References and keys of its leaves, in order, as the tree gives them.
    pub pairs: Vec<Pair>,
}

/// Why a group could not be recovered.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError<E> {
    /// Fewer of its extents are there than it takes.
    #[error("too little of the group is there")]
    TooFew,
    /// What came of it is not what the tree names: the parity is of another file.
    #[error("the parity is not that of this file")]
    Wrong,
    /// Leaves could not be read or written.
    #[error("leaves could not be read or written")]
    Access(E),
}

/// Recovers extents of a group, column by column. `parity` holds plaintexts of parity extents with their numbers within
/// the group; `read` gives a leaf of an extent that is there, padded as ERIS pads; `write` takes a recovered one, which has
/// been compared with its reference.
///
/// # Errors
/// [`RecoverError`]. Leaves that were written before one turned out to be wrong are right.
pub fn recover<E>(
    group: &Group,
    missing: &[Missing],
    parity: &[(u64, Vec<Vec<u8>>)],
    read: &mut Read<'_, E>,
    write: &mut Write<'_, E>,
) -> Result<(), RecoverError<E>> {
    let index = |number: u64| usize::try_from(number).map_err(|_| RecoverError::TooFew);
    let (count, recovery) = (index(group.count)?, index(group.parity)?);
    let mut coder = ReedSolomonDecoder::new(count, recovery, LEAF).map_err(refused)?;
    let mut block = vec![0; LEAF];
    for column in 0..COLUMNS {
        for extent in 0..group.count {
            let number = group.first + extent;
            if missing.iter().any(|missing| missing.extent == number) {
                continue;
            }
            match group.leaf(extent, column) {
                Some(leaf) => read(leaf, &mut block).map_err(RecoverError::Access)?,
                None => block.fill(0),
            }
            let extent = index(extent)?;
            coder.add_original_shard(extent, &block).map_err(refused)?;
        }
        for (number, blocks) in parity {
            let symbol = blocks.get(column).ok_or(RecoverError::TooFew)?;
            coder
                .add_recovery_shard(index(*number)?, symbol)
                .map_err(refused)?;
        }
        let decoded = coder.decode().map_err(refused)?;
        for missing in missing {
            let extent = missing
                .extent
                .checked_sub(group.first)
                .ok_or(RecoverError::TooFew)?;
            let (Some(pair), Some(leaf)) = (missing.pairs.get(column), group.leaf(extent, column))
            else {
                continue;
            };
            let plain = decoded
                .restored_original(index(extent)?)
                .ok_or(RecoverError::TooFew)?;
            if leaf_reference(plain, &pair.key) != pair.reference {
                return Err(RecoverError::Wrong);
            }
            write(leaf, plain).map_err(RecoverError::Access)?;
        }
    }
    Ok(())
}

/// What the code refuses is a symbol that is missing, given twice, or of a wrong size.
fn refused<E>(_: reed_solomon_simd::Error) -> RecoverError<E> {
    RecoverError::TooFew
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::io::{self, Read as _};

    use proptest::prelude::*;

    use super::*;
    use crate::eris::{BlockSize, ConvergenceSecret, Encoder, open_node};
    use crate::parity::{ParityStream, Scheme, fill_leaf};

    const MIB: usize = 1 << 20;

    fn content(length: usize) -> Vec<u8> {
        let mut state = 7u32;
        let next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        core::iter::repeat_with(next).take(length).collect()
    }

    fn read_from(content: &[u8]) -> impl FnMut(u64, &mut [u8]) -> io::Result<()> + '_ {
        |offset, bytes| {
            let at = offset as usize;
            bytes.copy_from_slice(&content[at..at + bytes.len()]);
            Ok(())
        }
    }

    fn parity_of(content: &[u8]) -> Vec<u8> {
        let mut stream = ParityStream::new(content.len() as u64, read_from(content)).unwrap();
        let mut all = Vec::new();
        stream.read_to_end(&mut all).unwrap();
        all
    }

    /// Pairs of all leaves, from the nodes of level 1 as the encoder makes them.
    fn pairs_of(content: &[u8]) -> Vec<Pair> {
        let secret = ConvergenceSecret::from_bytes([5; 32]);
        let mut encoder = Encoder::new(content, BlockSize::Large, secret);
        let mut nodes = Vec::new();
        while let Some(run) = encoder.next_run().unwrap() {
            if run.level == 1 {
                nodes.extend(run.blocks);
            }
        }
        let capability = encoder.capability().unwrap();
        assert_eq!(
            (capability.level, nodes.len()),
            (1, 1),
            "a file of one node"
        );
        open_node(&mut nodes[0], &capability.key, 1, BlockSize::Large, true).unwrap()
    }

    struct Scene {
        content: Vec<u8>,
        parity: Vec<u8>,
        pairs: Vec<Pair>,
        group: Group,
    }

    impl Scene {
        fn new(length: usize) -> Self {
            let content = content(length);
            Self {
                parity: parity_of(&content),
                pairs: pairs_of(&content),
                group: Scheme::of_content(length as u64).unwrap().group(0).unwrap(),
                content,
            }
        }

        /// Recovers the extents that are lost with the parity extents named, into a file that lacks them.
        fn recover(
            &self,
            lost: &BTreeSet<u64>,
            with: &[u64],
        ) -> Result<Vec<u8>, RecoverError<io::Error>> {
            let missing: Vec<Missing> = lost
                .iter()
                .map(|&extent| Missing {
                    extent,
                    pairs: self.pairs[extent as usize * COLUMNS..]
                        .iter()
                        .take(COLUMNS)
                        .map(|pair| Pair {
                            reference: pair.reference,
                            key: pair.key.duplicate(),
                        })
                        .collect(),
                })
                .collect();
            let parity: Vec<(u64, Vec<Vec<u8>>)> = with
                .iter()
                .map(|&number| {
                    let bytes = &self.parity[number as usize * MIB..][..MIB];
                    (number, bytes.chunks(LEAF).map(<[u8]>::to_vec).collect())
                })
                .collect();
            let mut out = self.content.clone();
            for &extent in lost {
                let end = out.len().min((extent as usize + 1) * MIB);
                out[extent as usize * MIB..end].fill(0xee);
            }
            let there = out.clone();
            let mut read = |leaf, block: &mut [u8]| {
                let extent = leaf / COLUMNS as u64;
                assert!(!lost.contains(&extent), "what is lost is not read");
                fill_leaf(there.len() as u64, leaf, block, &mut read_from(&there))
            };
            let mut write = |leaf, plain: &[u8]| {
                let at = leaf as usize * LEAF;
                let end = out.len().min(at + LEAF);
                out[at..end].copy_from_slice(&plain[..end - at]);
                Ok(())
            };
            recover(&self.group, &missing, &parity, &mut read, &mut write)?;
            Ok(out)
        }
    }

    #[test]
    fn every_loss_that_leaves_as_many_as_there_were_is_made_good() {
        // Four extents, the last of three blocks: every subset of the eight of which four are left.
        let scene = Scene::new(3 * MIB + 70_000);
        assert_eq!((scene.group.count, scene.group.parity), (4, 4));
        for pattern in 0u32..256 {
            if pattern.count_ones() != 4 {
                continue;
            }
            let lost: BTreeSet<u64> = (0..4).filter(|bit| pattern & (1 << bit) == 0).collect();
            let with: Vec<u64> = (0..4)
                .filter(|bit| pattern & (1 << (bit + 4)) != 0)
                .collect();
            assert!(
                scene.recover(&lost, &with).unwrap() == scene.content,
                "{pattern:08b}"
            );
        }
    }

    #[test]
    fn too_little_is_said_to_be_too_little() {
        let scene = Scene::new(4 * MIB);
        let lost = BTreeSet::from([0, 2, 4]);
        assert!(matches!(
            scene.recover(&lost, &[1, 3]),
            Err(RecoverError::TooFew)
        ));
        assert!(matches!(
            scene.recover(&lost, &[1, 3, 3]),
            Err(RecoverError::TooFew)
        ));
    }

    #[test]
    fn damaged_parity_is_noticed_and_nothing_wrong_is_written() {
        let mut scene = Scene::new(4 * MIB - 1);
        scene.parity[MIB + 5 * LEAF + 3] ^= 1;
        let lost = BTreeSet::from([1]);
        assert!(matches!(
            scene.recover(&lost, &[1]),
            Err(RecoverError::Wrong)
        ));
        assert!(scene.recover(&lost, &[0]).unwrap() == scene.content);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(6))]

        #[test]
        fn any_losses_up_to_the_parity_of_a_large_group_are_made_good(
            extents in 5usize..16, end in 1usize..MIB, order in Just((0..26u64).collect::<Vec<_>>()).prop_shuffle()
        ) {
            let scene = Scene::new((extents - 1) * MIB + end);
            let (count, parity) = (scene.group.count, scene.group.parity);
            let kept: BTreeSet<u64> = order
                .into_iter()
                .filter(|&which| which < count + parity)
                .take(count as usize)
                .collect();
            let lost = (0..count).filter(|extent| !kept.contains(extent)).collect();
            let with: Vec<u64> = kept.iter().filter_map(|which| which.checked_sub(count)).collect();
            prop_assert!(scene.recover(&lost, &with).unwrap() == scene.content);
        }
    }

    #[test]
    fn the_parity_of_a_fixed_content_has_fixed_bytes() {
        let length = 3 * MIB + 40_000;
        let parity = parity_of(&content(length));
        assert_eq!(
            parity.len() as u64,
            Scheme::of_content(length as u64).unwrap().parity_length()
        );
        assert_eq!(
            data_encoding::HEXLOWER.encode(&crate::hash::blake2b_256(&parity)),
            "5ad3eb2d40527e045f81224f87d2680a3cf6c119cd835069757559097821a060"
        );
    }
}
