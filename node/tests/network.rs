//! A whole network in one process: ten real nodes over loopback publish, search and fetch.

mod common;

use common::{Net, content, digest};
use oboro_node::api::{Code, FetchRequest, JobState, NodeApi, NodeState, SearchRequest};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_node_publishes_another_finds_by_its_words_and_fetches_byte_for_byte() {
    let net = Net::start(10).await;
    let bytes = content(5 << 20, 1);
    let published = net
        .publish(0, "Spring Song of the River 春の川の歌.ogg", &bytes)
        .await;
    assert!(published.state == JobState::Done, "{:?}", published.failure);

    for words in [&["river", "spring"][..], &["川の歌"], &["song"]] {
        let found = net.search(9, words).await;
        assert_eq!(found.hits.len(), 1, "{words:?}");
        assert!(found.hits[0].urn == published.urn.clone().unwrap());
        assert_eq!(found.hits[0].size, bytes.len() as u64);
    }
    let job = net.fetch_hit(9, 1, "song").await;
    assert!(
        job.state == JobState::Done,
        "{:?}",
        job.failure.map(|f| f.message)
    );
    assert_eq!(digest(&net.output(9, "song")), digest(&bytes));

    let stats = net.node(9).stats().await.unwrap();
    assert!(stats.classes.own.bytes_in > bytes.len() as u64);
    assert!(stats.streams.opened > 0 && stats.latency.median_ms.is_some());
    let mut stored = 0;
    for i in 0..10 {
        stored += net.node(i).stats().await.unwrap().stored.chunks;
    }
    // 5 MiB are 161 leaves and a root, each at four places.
    assert!(stored >= 162 * 4, "{stored}");
    net.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_nodes_ask_over_three_relays_and_say_so() {
    let net = Net::start(10).await;
    let published = net.publish(0, "winter moon", &content(1 << 20, 2)).await;
    assert_eq!(published.route.unwrap().hops, 3);
    let found = net.search(9, &["winter", "moon"]).await;
    let searched = found.route.unwrap();
    assert_eq!((found.hits.len(), searched.hops), (1, 3));
    assert_eq!((searched.guard_days, searched.relays), (Some(0), 9));
    let fetched = net.fetch_hit(9, 1, "moon").await;
    assert_eq!(fetched.route.unwrap().hops, 3);

    let status = net.node(9).status().await.unwrap();
    assert_eq!((status.hops, status.relays_missing), (3, 0));
    assert!(status.missing.is_empty(), "{:?}", status.missing);
    assert!(status.anonymity.starts_with("3 hops · guard new today"));
    let guard = status.guard.unwrap();
    assert!(guard.linked && !guard.standby && guard.node != status.node_id);
    assert!(status.circuits_ready > 0);
    let circuits = net.node(9).stats().await.unwrap().circuits;
    assert!(circuits.built > 0 && circuits.build_time.median_ms.is_some());
    let mut relayed = 0;
    for i in 0..10 {
        relayed += net.node(i).stats().await.unwrap().circuits.cells_relayed;
    }
    // The file is 256 cells, four times on its way to its storers, once to its reader, at guard and middle at least.
    assert!(relayed > 256 * 5 * 2, "{relayed}");
    net.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_keeps_its_guard_over_a_restart_and_a_kill() {
    let mut net = Net::start(6).await;
    net.publish(5, "anchor", &content(10_000, 4)).await;
    let guard = net.guard_of(5).await;
    assert!(guard.is_some());
    net.restart(5).await;
    net.publish(5, "anchor again", &content(10_000, 5)).await;
    assert_eq!(net.guard_of(5).await, guard);
    net.kill_and_start(5).await;
    net.publish(5, "anchor at last", &content(10_000, 6)).await;
    assert_eq!(net.guard_of(5).await, guard);
    net.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_too_few_nodes_nothing_is_asked_unless_the_user_allows_fewer_hops() {
    let net = Net::over(3, 2).await;
    let status = net.node(1).status().await.unwrap();
    assert!(status.relays_missing > 0);
    let missing = format!("{} more node", status.relays_missing);
    assert!(
        status.anonymity.starts_with(&missing),
        "{}",
        status.anonymity
    );
    assert!(status.missing[0].contains("--fewer-hops"));
    let mut request = SearchRequest {
        words: vec!["word".into()],
        timeout_ms: 5_000,
        fewer_hops: false,
    };
    let failure = net.node(1).search(request.clone()).await.unwrap_err();
    assert_eq!((failure.code, failure.exit), (Code::TooFewRelays, 14));
    assert_eq!(net.node(0).stats().await.unwrap().served.queries, 0);
    request.fewer_hops = true;
    let found = net.node(1).search(request).await.unwrap();
    assert!(found.hits.is_empty() && found.route.unwrap().hops < 3);
    net.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_hops_the_storers_see_who_asks_and_the_node_says_so() {
    let net = Net::over(0, 2).await;
    let found = net.search(1, &["word"]).await;
    assert_eq!(found.route.unwrap().hops, 0);
    assert!((found.asked, found.answered) != (0, 0) && found.complete);
    let status = net.node(1).status().await.unwrap();
    assert!(status.anonymity.starts_with("0 hops: not anonymous"));
    assert!(status.guard.is_none() && status.missing.is_empty());
    net.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_of_every_length_come_back_whole() {
    let net = Net::start(5).await;
    for (i, len) in [0, 1, 32_767, 32_768, 1 << 20, (1 << 20) + 1, 16 << 20]
        .into_iter()
        .enumerate()
    {
        let bytes = content(len, i as u8);
        let published = net.publish(i % 5, &format!("length {len}"), &bytes).await;
        let name = format!("out{i}");
        let job = net
            .fetch_urn((i + 2) % 5, published.urn.as_deref().unwrap(), &name)
            .await;
        assert!(
            job.state == JobState::Done,
            "{len}: {:?}",
            job.failure.map(|f| f.message)
        );
        assert!(net.output((i + 2) % 5, &name) == bytes, "{len}");
    }
    net.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_found_is_no_hits_and_what_cannot_be_had_says_so() {
    let net = Net::start(5).await;
    let none = net.search(1, &["unheard"]).await;
    assert!(none.hits.is_empty());
    let urn = "urn:eris:B4A".to_owned() + &"A".repeat(103);
    let job = net.fetch_urn(2, &urn, "nowhere").await;
    let failure = job.failure.unwrap();
    let stats = net.node(2).stats().await.unwrap();
    assert_eq!(failure.exit, 16, "{} {:?}", failure.message, stats.circuits);
    assert!(net.leftovers(2).is_empty() || job.state == JobState::Failed);
    net.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_alone_says_that_it_is_and_fails_with_that_reason() {
    let net = Net::start(1).await;
    let status = net.node(0).status().await.unwrap();
    assert_eq!(status.state, NodeState::Alone);
    assert!(status.missing[0].contains("oboro join"));
    let request = SearchRequest {
        words: vec!["word".into()],
        timeout_ms: 2_000,
        fewer_hops: false,
    };
    let failure = net.node(0).search(request).await.unwrap_err();
    assert_eq!(failure.exit, 14, "{}", failure.message);
    net.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn searches_and_jobs_are_remembered_over_a_restart() {
    let mut net = Net::start(5).await;
    let bytes = content(100_000, 3);
    net.publish(0, "autumn leaves", &bytes).await;
    assert_eq!(net.search(4, &["autumn"]).await.hits.len(), 1);
    net.restart(4).await;
    let job = net.fetch_hit(4, 1, "leaves").await;
    assert!(
        job.state == JobState::Done,
        "{:?}",
        job.failure.map(|f| f.message)
    );
    assert!(net.output(4, "leaves") == bytes);
    net.restart(4).await;
    let jobs = net.node(4).jobs().await.unwrap();
    assert!(jobs.len() == 1 && jobs[0].state == JobState::Done && jobs[0].title == "autumn leaves");
    net.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_output_that_exists_is_refused_before_anything_is_fetched() {
    let net = Net::start(2).await;
    std::fs::write(net.path(1, "mine"), b"mine").unwrap();
    let urn = "urn:eris:B4A".to_owned() + &"A".repeat(103);
    let request = FetchRequest {
        urn: Some(urn),
        n: None,
        title: None,
        output: net.path(1, "mine"),
        overwrite: false,
        fewer_hops: false,
    };
    assert_eq!(
        net.node(1).fetch(request).await.unwrap_err().code,
        Code::Exists
    );
    assert!(net.node(1).jobs().await.unwrap().is_empty());
    net.stop().await;
}
