//! Who gives way when all places of a table are taken: fairness between links.

use std::collections::BTreeMap;

use crate::time::Time;

/// Of all places taken, each with its holder and when something last moved in it: the one in which nothing has moved for
/// longest of the holder that has most, if that holder would still have no fewer than `newcomer` after both changed. So
/// whoever takes all places does not keep out the others, and nobody gains by coming again.
pub(crate) fn loser<Holder: Ord, Place>(
    places: impl Iterator<Item = (Holder, Time, Place)>,
    newcomer: Option<Holder>,
) -> Option<Place> {
    let mut shares: BTreeMap<Holder, (usize, Time, Place)> = BTreeMap::new();
    for (holder, moved, place) in places {
        match shares.get_mut(&holder) {
            Some((count, stalest, loser)) => {
                *count += 1;
                if moved < *stalest {
                    (*stalest, *loser) = (moved, place);
                }
            }
            None => {
                shares.insert(holder, (1, moved, place));
            }
        }
    }
    let has = newcomer
        .and_then(|holder| shares.get(&holder))
        .map_or(0, |share| share.0);
    let most = shares.into_values().max_by_key(|share| share.0);
    most.filter(|share| share.0 > has + 1).map(|share| share.2)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_stalest_place_of_the_greediest_gives_way_to_who_has_less() {
        let places = [
            ('a', Time(5), 1),
            ('b', Time(1), 2),
            ('a', Time(3), 3),
            ('a', Time(4), 4),
        ];
        assert_eq!(loser(places.into_iter(), Some('c')), Some(3));
        assert_eq!(loser(places.into_iter(), None), Some(3));
        assert_eq!(loser(places.into_iter(), Some('b')), Some(3));
        assert_eq!(loser(places.into_iter(), Some('a')), None);
        assert_eq!(loser(places.into_iter().take(2), Some('c')), None);
    }

    proptest! {
        #[test]
        fn nobody_gives_way_to_one_who_would_then_have_more(holders in proptest::collection::vec(0u8..5, 0..40), newcomer in 0u8..6) {
            let count = |who: u8| holders.iter().filter(|&&holder| holder == who).count();
            let places = holders.iter().enumerate().map(|(place, &holder)| (holder, Time(place as u64), place));
            match loser(places, Some(newcomer)) {
                Some(place) => {
                    prop_assert!(count(holders[place]) > count(newcomer) + 1);
                    prop_assert!(holders[..place].iter().all(|&holder| holder != holders[place]), "the stalest");
                }
                None => prop_assert!((0..5).all(|who| count(who) <= count(newcomer) + 1)),
            }
        }
    }
}
