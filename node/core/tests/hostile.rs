//! What one hostile peer can do to a node: nothing that others notice.

mod world;

use world::World;
use world::puppet::Mood;

#[test]
fn a_puppet_that_behaves_is_a_storer_like_others() {
    let mut world = World::new(3, 40);
    let puppet = world.add_puppet(Mood::Honest);
    world.settle_with_puppets();
    let capability = world.publish(0, "puppet", &vec![7; 2_000_000]);
    assert!(world.puppets[puppet].received > 0);
    assert_eq!(
        world.fetch(1, &capability).map(|file| file.len()),
        Ok(2_000_000)
    );
    let oboro_core::Report::Found { hits, .. } = world.search(2, &["puppet"]) else {
        panic!("found")
    };
    assert_eq!(hits.len(), 1);
}
