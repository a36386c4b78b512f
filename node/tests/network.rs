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
    assert_eq!(failure.exit, 16, "{}", failure.message);
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
    };
    assert_eq!(
        net.node(1).fetch(request).await.unwrap_err().code,
        Code::Exists
    );
    assert!(net.node(1).jobs().await.unwrap().is_empty());
    net.stop().await;
}
