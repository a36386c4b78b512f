use rand_core::SeedableRng;

use super::*;

const NOW: Time = Time::from_secs(1_000);

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::from_seed([5; 32])
}

#[test]
fn news_is_told_together_and_never_to_whom_it_came_from() {
    let (mut rumours, mut rng) = (Rumours::new(true), rng());
    assert!(rumours.heard(((1, 1), false), vec![LinkId(1)], NOW, &mut rng));
    assert!(rumours.heard(((2, 1), false), vec![LinkId(2)], NOW, &mut rng));
    assert!(!rumours.offered(LinkId(3), (2, 1), true, NOW));
    let links: Vec<LinkId> = (1..=4).map(LinkId).collect();
    assert!(rumours.tell(links.clone(), NOW, &mut rng).is_empty());
    let due = rumours.deadline().unwrap();
    let told: BTreeMap<_, _> = rumours.tell(links, due, &mut rng).into_iter().collect();
    assert_eq!(told[&LinkId(1)], [(2, 1)]);
    assert_eq!(told[&LinkId(2)], [(1, 1)]);
    assert_eq!(told[&LinkId(3)], [(1, 1)], "who offers it has it");
    assert_eq!(told[&LinkId(4)], [(1, 1), (2, 1)]);
    assert_eq!(rumours.deadline(), None, "then there is nothing to do");
}

#[test]
fn after_a_quiet_time_news_goes_soon_and_then_no_more_than_so_often() {
    let (mut rumours, mut rng) = (Rumours::new(false), rng());
    rumours.heard(((1, 1), false), vec![], NOW, &mut rng);
    let first = rumours.deadline().unwrap();
    assert!(first.since(NOW) <= RUMOUR_EVERY / 4);
    rumours.tell(vec![LinkId(1)], first, &mut rng);
    rumours.heard(((2, 1), false), vec![], first, &mut rng);
    assert!(rumours.deadline().unwrap().since(first) >= RUMOUR_EVERY / 2);
}

#[test]
fn what_is_renewed_waits_unless_there_is_news_of_somebody_new() {
    let (mut rumours, mut rng) = (Rumours::new(false), rng());
    rumours.tell(vec![], NOW, &mut rng);
    rumours.heard(((1, 1), true), vec![], NOW, &mut rng);
    let first = rumours.deadline().unwrap();
    rumours.tell(vec![LinkId(1)], first, &mut rng);
    rumours.heard(((1, 2), true), vec![], first, &mut rng);
    let late = rumours.deadline().unwrap();
    assert!(late.since(first) >= RUMOUR_RENEWED / 2);
    rumours.heard(((2, 1), false), vec![], first, &mut rng);
    let soon = rumours.deadline().unwrap();
    assert!(soon.since(first) <= RUMOUR_EVERY * 3 / 2 && soon <= late);
    // Of several news the first says when.
    rumours.heard(((3, 1), false), vec![], first, &mut rng);
    assert_eq!(rumours.deadline(), Some(soon));
}

#[test]
fn much_news_is_told_at_once() {
    let (mut rumours, mut rng) = (Rumours::new(false), rng());
    for name in 1..RUMOURS_TOGETHER as u64 {
        rumours.heard(((name, 1), true), vec![], NOW, &mut rng);
    }
    assert!(rumours.tell(vec![LinkId(1)], NOW, &mut rng).is_empty());
    rumours.heard(((0, 1), true), vec![], NOW, &mut rng);
    let told = rumours.tell(vec![LinkId(1)], NOW, &mut rng);
    assert_eq!(told[0].1.len(), RUMOURS_TOGETHER);
}

#[test]
fn of_many_links_a_few_are_told() {
    let (mut rumours, mut rng) = (Rumours::new(false), rng());
    rumours.heard(((1, 1), false), vec![LinkId(0)], NOW, &mut rng);
    let due = rumours.deadline().unwrap();
    let told = rumours.tell((0..200).map(LinkId).collect(), due, &mut rng);
    assert_eq!(told.len(), RUMOUR_LINKS);
    assert!(told.iter().all(|(link, _)| *link != LinkId(0)));
}

#[test]
fn what_one_offers_and_does_not_deliver_is_asked_of_the_next() {
    let mut rumours = Rumours::new(true);
    assert!(rumours.offered(LinkId(1), (7, 7), false, NOW));
    for other in 2..=4 {
        assert!(!rumours.offered(LinkId(other), (7, 7), false, NOW));
    }
    let mut now = NOW;
    // The second is gone by then.
    for expected in [3, 4] {
        now = now + ASK_PATIENCE;
        let again = rumours.impatient(&|link| link != LinkId(2), now);
        assert_eq!(again, BTreeMap::from([(LinkId(expected), vec![(7, 7)])]));
    }
    assert_eq!(rumours.arrived((7, 7)), [LinkId(4)]);
    assert_eq!((rumours.waiting(), rumours.of_link.len()), (0, 0));
}

#[test]
fn what_nobody_delivers_is_forgotten() {
    let mut rumours = Rumours::new(true);
    assert!(rumours.offered(LinkId(1), (7, 7), false, NOW));
    assert!(rumours.impatient(&|_| true, NOW + ASK_PATIENCE).is_empty());
    assert_eq!((rumours.waiting(), rumours.deadline()), (0, None));
    assert!(
        rumours.offered(LinkId(2), (7, 7), false, NOW),
        "and asked for anew"
    );
}

#[test]
fn a_flood_of_offers_holds_no_more_than_its_links_share_and_keeps_out_no_other() {
    let mut rumours = Rumours::new(true);
    let asked = (0..100_000).filter(|&n| rumours.offered(LinkId(1), (n, 1), false, NOW));
    assert_eq!(asked.count(), ASKED_PER_LINK_MAX);
    assert!(rumours.offered(LinkId(2), (1 << 40, 1), false, NOW));
    for other in 0..100 {
        rumours.offered(LinkId(100 + other), (1 << 40, 1), false, NOW);
    }
    let most = rumours.asked.values().map(|asked| asked.others.len()).max();
    assert_eq!(most, Some(OFFERERS_MAX));
    assert_eq!(rumours.waiting(), ASKED_PER_LINK_MAX + 1);
}

#[test]
fn there_is_never_more_to_tell_than_the_bound() {
    let (mut rumours, mut rng) = (Rumours::new(true), rng());
    let heard = (0..2 * RUMOURS_MAX as u64)
        .filter(|&n| rumours.heard(((n, 1), false), vec![], NOW, &mut rng));
    assert_eq!(heard.count(), RUMOURS_MAX);
}
