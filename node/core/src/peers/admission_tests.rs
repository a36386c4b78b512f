use core::time::Duration;

use super::*;

const NOW: Time = Time::from_secs(1_000_000);

fn key(number: u8) -> LinkPublic {
    LinkPublic([number; 32])
}

fn node(by: u8, number: u16) -> NodeId {
    let mut id = [by; 32];
    id[..2].copy_from_slice(&number.to_be_bytes());
    NodeId(id)
}

/// One link peer brings as many as it may.
fn bring(newcomers: &mut Newcomers, by: u8) -> usize {
    let room = newcomers.room(&key(by), NOW);
    for _ in 0..room {
        let number = u16::try_from(newcomers.count).unwrap();
        newcomers.add(node(by, number), key(by));
    }
    room
}

#[test]
fn whoever_has_brought_nobody_good_may_bring_two_and_sixteen_more_for_each_good_one() {
    let mut newcomers = Newcomers::default();
    assert_eq!(bring(&mut newcomers, 1), NEWCOMERS_FREE);
    assert_eq!(newcomers.room(&key(1), NOW), 0);
    assert_eq!(newcomers.room(&key(2), NOW), NEWCOMERS_FREE);
    let first = newcomers.next().unwrap();
    assert_eq!(newcomers.proved(&first), Some(key(1)));
    assert_eq!(bring(&mut newcomers, 1), NEWCOMERS_PER_GOOD + 1);
}

#[test]
fn an_honest_introducer_of_ten_thousand_is_heard_out_in_a_few_rounds() {
    let mut newcomers = Newcomers::default();
    let (mut brought, mut rounds, mut checks) = (0, 0, 0);
    while brought < 10_000 {
        brought += bring(&mut newcomers, 1);
        while newcomers.room(&key(1), NOW) < newcomers.introducers[&key(1)].allowance() / 2 {
            let next = newcomers.next().unwrap();
            newcomers.proved(&next);
            checks += 1;
        }
        rounds += 1;
    }
    assert!(rounds <= 20, "{rounds} rounds");
    assert!(checks <= 2_000, "{checks} checks, not ten thousand");
}

#[test]
fn nobody_takes_all_checks() {
    let mut newcomers = Newcomers::default();
    bring(&mut newcomers, 1);
    let good = newcomers.next().unwrap();
    newcomers.proved(&good);
    bring(&mut newcomers, 1);
    (2..40).for_each(|by| {
        bring(&mut newcomers, by);
    });
    let checked: Vec<LinkPublic> = (0..40)
        .filter_map(|_| {
            let next = newcomers.next()?;
            newcomers.introducer(&next)
        })
        .collect();
    let proven = checked.iter().filter(|by| **by == key(1)).count();
    assert!(proven >= 18, "{proven} of the one who brought good ones");
    let others: std::collections::BTreeSet<_> = checked.iter().collect();
    assert!(others.len() >= 18, "the others have their turns");
}

#[test]
fn whoever_brought_a_false_one_brings_nobody_for_an_hour_and_then_as_a_stranger() {
    let mut newcomers = Newcomers::default();
    bring(&mut newcomers, 1);
    bring(&mut newcomers, 2);
    let fallen = newcomers.strike(&key(1), NOW);
    assert_eq!(fallen.len(), NEWCOMERS_FREE);
    for id in fallen {
        newcomers.forget(&id);
    }
    assert_eq!(newcomers.len(), NEWCOMERS_FREE, "others' stay");
    // Nor does it help to come anew.
    newcomers.gone(&key(1));
    let soon = NOW + STRUCK_FOR - Duration::from_secs(1);
    assert_eq!(newcomers.room(&key(1), soon), 0);
    assert_eq!(newcomers.room(&key(1), NOW + STRUCK_FOR), NEWCOMERS_FREE);
}

#[test]
fn of_too_many_struck_link_keys_the_oldest_is_forgotten() {
    let mut newcomers = Newcomers::default();
    let many = u64::try_from(STRUCK_MAX).unwrap() + 1;
    for number in 0..many {
        let mut by = key(0);
        by.0[..8].copy_from_slice(&number.to_be_bytes());
        newcomers.strike(&by, NOW + Duration::from_millis(number));
    }
    assert_eq!(newcomers.struck.len(), STRUCK_MAX);
    let later = NOW + Duration::from_millis(many);
    assert!(!newcomers.is_struck(&key(0), later));
}

#[test]
fn what_could_not_be_checked_is_checked_again_after_all_others() {
    let mut newcomers = Newcomers::default();
    bring(&mut newcomers, 1);
    let (first, second) = (newcomers.next().unwrap(), newcomers.next().unwrap());
    assert!(newcomers.again(&first));
    assert_eq!(newcomers.next(), Some(first));
    assert_eq!(newcomers.next(), None);
    newcomers.gone(&key(1));
    assert!(!newcomers.again(&second), "nobody would check it");
}
