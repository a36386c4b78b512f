//! An id space with k-buckets, and greedy routing in it (the survey 3.2).

use super::dice::Dice;

/// Nodes with uniform 64-bit ids; each knows min(k, size) uniform nodes of every bucket, a bucket being the nodes that
/// share a prefix with it and differ in the next bit.
///
/// Contacts are drawn when a lookup needs them. One lookup visits a node once at the most, so a single lookup is
/// distributed as in a network whose tables were drawn beforehand; only lookups of one network are less alike.
pub(super) struct Space {
    ids: Vec<u64>,
}

impl Space {
    /// So many nodes; a node's name is its rank by id.
    pub(super) fn new(nodes: usize, dice: &mut Dice) -> Self {
        let mut ids: Vec<u64> = (0..nodes).map(|_| dice.bits()).collect();
        ids.sort_unstable();
        ids.dedup();
        Self { ids }
    }

    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }

    /// Leading bits that a node's id has in common with a key, 0 to 64.
    pub(super) fn common_prefix(&self, node: usize, key: u64) -> u32 {
        (self.ids[node] ^ key).leading_zeros()
    }

    /// The `count` nodes nearest to a key by XOR, nearest first.
    pub(super) fn nearest(&self, key: u64, count: usize) -> Vec<usize> {
        let mut bits = 64;
        let (low, high) = loop {
            let (low, high) = self.sharing(key, bits);
            if high - low >= count || bits == 0 {
                break (low, high);
            }
            bits -= 1;
        };
        let mut found: Vec<usize> = (low..high).collect();
        found.sort_unstable_by_key(|&node| self.ids[node] ^ key);
        found.truncate(count);
        found
    }

    /// The nodes a greedy lookup visits, the first and the last among them.
    pub(super) fn path(&self, from: usize, key: u64, k: usize, dice: &mut Dice) -> Vec<usize> {
        let mut path = vec![from];
        let mut at = from;
        while let Some(next) = self.next(at, key, k, dice) {
            path.push(next);
            at = next;
        }
        path
    }

    /// The contact nearest to a key, if it is nearer than the node itself.
    fn next(&self, node: usize, key: u64, k: usize, dice: &mut Dice) -> Option<usize> {
        let mut wrong = self.ids[node] ^ key;
        while wrong != 0 {
            let bit = wrong.leading_zeros();
            let (low, high) = self.sharing(self.ids[node], bit);
            if high - low <= 1 {
                return None;
            }
            let (low, high) = self.bucket(node, bit);
            if high > low {
                let contacts = dice.distinct(k, high - low).into_iter();
                return contacts
                    .map(|offset| low + offset)
                    .min_by_key(|&contact| self.ids[contact] ^ key);
            }
            wrong &= !(1 << (63 - bit));
        }
        None
    }

    /// Any contact, each as likely.
    pub(super) fn contact(&self, node: usize, k: usize, dice: &mut Dice) -> usize {
        let buckets: Vec<(usize, usize)> = (0..64)
            .take_while(|&bit| {
                let (low, high) = self.sharing(self.ids[node], bit);
                high - low > 1
            })
            .map(|bit| self.bucket(node, bit))
            .filter(|(low, high)| high > low)
            .collect();
        let weight = |&(low, high): &(usize, usize)| (high - low).min(k);
        let mut left = dice.below(buckets.iter().map(weight).sum());
        for bucket in &buckets {
            if left < weight(bucket) {
                return bucket.0 + dice.below(bucket.1 - bucket.0);
            }
            left -= weight(bucket);
        }
        node
    }

    /// How many contacts a node has.
    pub(super) fn contacts(&self, node: usize, k: usize) -> usize {
        (0..64)
            .map(|bit| self.bucket(node, bit))
            .map(|(low, high)| (high - low).min(k))
            .sum()
    }

    /// Ranks of the nodes that share `bit` leading bits with a node and differ in the next.
    fn bucket(&self, node: usize, bit: u32) -> (usize, usize) {
        self.sharing(self.ids[node] ^ (1 << (63 - bit)), bit + 1)
    }

    /// Ranks of the nodes that share so many leading bits with an id.
    fn sharing(&self, id: u64, bits: u32) -> (usize, usize) {
        let mask = u64::MAX.checked_shr(bits).unwrap_or(0);
        let low = self.ids.partition_point(|&other| other < id & !mask);
        let high = self.ids.partition_point(|&other| other <= id | mask);
        (low, high)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn greedy_ends_at_the_nearest_of_all_and_always_gets_nearer() {
        let mut dice = Dice::new(1, "space");
        let space = Space::new(500, &mut dice);
        for _ in 0..200 {
            let (from, key) = (dice.below(500), dice.bits());
            let path = space.path(from, key, 2, &mut dice);
            let nearest = (0..500).min_by_key(|&node| space.ids[node] ^ key);
            assert_eq!(path.last().copied(), nearest);
            assert_eq!(space.nearest(key, 1).first().copied(), nearest);
            assert!(
                path.windows(2)
                    .all(|step| space.ids[step[1]] ^ key < space.ids[step[0]] ^ key)
            );
        }
    }

    #[test]
    fn a_contact_is_another_node() {
        let mut dice = Dice::new(2, "space");
        let space = Space::new(50, &mut dice);
        assert!((0..50).all(|node| space.contact(node, 3, &mut dice) != node));
        assert!(space.contacts(0, 100) == 49);
    }
}
