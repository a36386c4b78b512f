//! Nodes that end, come back, or find things not as they should be.

mod common;

use std::time::Duration;

use common::{Net, content};
use oboro_node::api::{Code, JobState, NodeApi, PublishRequest};
use oboro_node::{Network, NodeHandle};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

/// How a node ends.
#[derive(Clone, Copy, PartialEq, Debug)]
enum End {
    Shutdown,
    Kill,
}

/// A fetch of 64 MiB whose node ends when two thirds have come.
async fn interrupted_fetch(end: End) {
    const LEN: usize = 64 << 20;
    const CAME: usize = LEN / 3 * 2;
    // Checkpoints are 8 MiB apart; while one is made durable, 6 MiB of writes wait and 8 MiB are on their way.
    const LOST_MAX: usize = 24 << 20;
    let mut net = Net::start(4).await;
    let bytes = content(LEN, 5);
    let published = net.publish(0, "long film", &bytes).await;
    let id = net.begin_fetch(3, published.urn, None, "film").await;
    loop {
        let job = net.node(3).job(id, 0).await.unwrap();
        assert!(!job.state.ended(), "it ended too early to test anything");
        if job.done_bytes > CAME as u64 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    match end {
        End::Shutdown => net.restart(3).await,
        End::Kill => net.kill_and_start(3).await,
    }
    let job = net.end_of(3, id).await;
    assert!(
        job.state == JobState::Done,
        "{:?}",
        job.failure.map(|f| f.message)
    );
    assert!(net.output(3, "film") == bytes);
    assert!(net.leftovers(3).is_empty());
    let resumed = job.resumed_bytes as usize;
    match end {
        // Nothing that came is lost.
        End::Shutdown => assert!(resumed > CAME, "{resumed} resumed"),
        End::Kill => assert!(resumed > CAME - LOST_MAX, "{resumed} resumed"),
    }
    let all = resumed + job.fetched_bytes as usize;
    assert!(all < LEN + (2 << 20), "{all} of {LEN} in all");
    net.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fetch_goes_on_after_a_shutdown() {
    interrupted_fetch(End::Shutdown).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fetch_goes_on_after_a_kill() {
    interrupted_fetch(End::Kill).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_survives_the_death_of_two_of_eight_nodes() {
    let mut net = Net::start(8).await;
    let bytes = content(6 << 20, 6);
    let published = net.publish(0, "survivor", &bytes).await;
    assert!(published.state == JobState::Done);
    assert_eq!(
        published.note, None,
        "as many copies of every part as there are nodes for"
    );
    // A guard is kept on purpose: a node whose guard dies waits for it, and this is about storers. It has one once it asks.
    assert_eq!(net.search(7, &["survivor"]).await.hits.len(), 1);
    let guard = net.guard_of(7).await;
    let victims: Vec<usize> = (1..7).filter(|i| Some(*i) != guard).take(2).collect();
    for victim in victims {
        net.kill(victim).await;
    }
    assert_eq!(net.search(7, &["survivor"]).await.hits.len(), 1);
    let job = net.fetch_hit(7, 1, "out").await;
    assert!(
        job.state == JobState::Done,
        "{:?}",
        job.failure.map(|f| f.message)
    );
    assert!(net.output(7, "out") == bytes);
    net.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_of_which_extents_are_gone_for_good_come_back_from_parity() {
    // Two copies of each extent on nine nodes, of which two die and one is the reader, who does not ask himself: about every
    // twelfth extent is gone, and hardly ever as many of one file as parity does not make up for.
    let mut net = Net::over(0, 10).await;
    let mut files = Vec::new();
    for seed in 10..13 {
        let bytes = content(6 << 20, seed);
        let published = net.publish(0, &format!("precious {seed}"), &bytes).await;
        assert_eq!(published.parity_extents, Some(7));
        files.push((bytes, published.urn.unwrap()));
    }
    for victim in 1..3 {
        net.kill(victim).await;
    }
    for (number, (bytes, urn)) in files.into_iter().enumerate() {
        let name = format!("out{number}");
        let id = net.begin_fetch(9, Some(urn), None, &name).await;
        let job = net.end_of(9, id).await;
        let failure = job.failure.map(|f| f.message);
        assert!(job.state == JobState::Done, "{failure:?}");
        assert!(net.output(9, &name) == bytes);
    }
    net.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_published_is_there_after_all_nodes_were_killed() {
    let mut net = Net::start(5).await;
    let bytes = content(3 << 20, 7);
    net.publish(0, "phoenix", &bytes).await;
    for i in 0..5 {
        net.kill(i).await;
    }
    for i in 0..5 {
        net.start_again(i).await;
    }
    net.settle().await;
    assert_eq!(net.search(1, &["phoenix"]).await.hits.len(), 1);
    let job = net.fetch_hit(1, 1, "out").await;
    assert!(
        job.state == JobState::Done,
        "{:?}",
        job.failure.map(|f| f.message)
    );
    assert!(net.output(1, "out") == bytes);
    net.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_home_takes_one_node_and_one_network() {
    let net = Net::start(1).await;
    let second = NodeHandle::start(net.config(0)).await.err().unwrap();
    assert_eq!((second.code, second.exit), (Code::AlreadyRunning, 11));
    let mut rng = ChaCha20Rng::seed_from_u64(9);
    let other = Network::private("other", true, &mut rng).unwrap();
    let invite = {
        let other_net = Net::on(other.duplicate(), 1).await;
        let invite = other_net.node(0).invite().await.unwrap();
        other_net.stop().await;
        invite
    };
    let mismatch = net.node(0).join(invite).await.unwrap_err();
    assert_eq!(mismatch.code, Code::NetworkMismatch);
    net.node(0).shutdown().await;
    let mut config = net.config(0);
    config.network = Some(other);
    let mismatch = NodeHandle::start(config).await.err().unwrap();
    assert_eq!(mismatch.code, Code::NetworkMismatch);
    NodeHandle::start(net.config(0))
        .await
        .unwrap()
        .shutdown()
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handle_that_outlives_its_node_says_so() {
    let net = Net::start(1).await;
    let node = net.node(0).clone();
    let other = node.clone();
    let (first, second) = tokio::join!(node.shutdown(), other.shutdown());
    assert_eq!((first, second), ((), ()));
    assert_eq!(node.status().await.unwrap_err().code, Code::NotRunning);
    assert_eq!(
        node.join("oboro-invite:a".into()).await.unwrap_err().code,
        Code::BadInput
    );
    node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_fetch_leaves_nothing_behind() {
    let net = Net::start(4).await;
    let bytes = content(64 << 20, 8);
    let published = net.publish(0, "long film", &bytes).await;
    let id = net.begin_fetch(3, published.urn, None, "film").await;
    net.node(3).cancel(id).await.unwrap();
    let job = net.end_of(3, id).await;
    assert!(job.state == JobState::Cancelled && job.failure.unwrap().code == Code::Cancelled);
    let begun = std::time::Instant::now();
    while !net.leftovers(3).is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(60));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(!net.path(3, "film").exists());
    assert_eq!(
        net.node(3).cancel(9_999).await.unwrap_err().code,
        Code::NoSuch
    );
    net.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_publication_is_told_as_interrupted_and_can_be_repeated() {
    let mut net = Net::start(4).await;
    let path = net.path(1, "again");
    std::fs::write(&path, content(32 << 20, 9)).unwrap();
    let request = PublishRequest {
        path,
        title: None,
        keywords: None,
        convergent: false,
        fewer_hops: false,
    };
    let id = net.node(1).publish(request.clone()).await.unwrap();
    net.kill_and_start(1).await;
    let job = net.node(1).job(id, 0).await.unwrap();
    assert!(job.state == JobState::Failed && job.failure.unwrap().code == Code::Interrupted);
    let again = net.node(1).publish(request).await.unwrap();
    assert!(again > id);
    let job = net.end_of(1, again).await;
    assert!(
        job.state == JobState::Done,
        "{:?}",
        job.failure.map(|f| f.message)
    );
    net.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_operator_refuses_is_not_carried_by_his_node() {
    let net = Net::start(2).await;
    let bytes = content(1000, 10);
    let path = net.path(0, "unwanted");
    std::fs::write(&path, &bytes).unwrap();
    let request = PublishRequest {
        path,
        title: None,
        keywords: None,
        convergent: true,
        fewer_hops: false,
    };
    let id = net.node(0).publish(request.clone()).await.unwrap();
    let urn = net.end_of(0, id).await.urn.unwrap();
    let held = net.node(1).status().await.unwrap().cache.chunks;
    assert!(held > 0);
    net.node(1).refuse(vec![urn.clone()]).await.unwrap();
    assert_eq!(net.node(1).status().await.unwrap().cache.chunks, 0);
    let bad = net
        .node(1)
        .refuse(vec![urn.clone(), "urn:eris:X".into()])
        .await
        .unwrap_err();
    assert_eq!(bad.code, Code::BadInput);
    net.node(1).allow(vec![urn]).await.unwrap();
    let id = net.node(0).publish(request).await.unwrap();
    net.end_of(0, id).await;
    assert_eq!(net.node(1).status().await.unwrap().cache.chunks, held);
    net.stop().await;
}
