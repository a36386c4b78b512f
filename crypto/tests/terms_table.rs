//! What is found by what: titles and queries as people write them, in many languages.
//!
//! "Found" means what it means on a network: every term the query asks for is among the terms the title was published
//! under, and the local check of the answer agrees.

use oboro_crypto::terms::{self, Term};
use proptest::prelude::*;
use proptest::sample::Index;

const YES: bool = true;
const NO: bool = false;

#[rustfmt::skip]
const TABLE: &[(&str, &str, bool)] = &[
    // Japanese
    ("東京都庁の匿名ファイル共有ソフト", "東京都", YES),
    ("東京都庁の匿名ファイル共有ソフト", "東京都庁", YES),
    ("東京都庁の匿名ファイル共有ソフト", "京都", YES),
    ("東京都庁の匿名ファイル共有ソフト", "匿名ファイル", YES),
    ("東京都庁の匿名ファイル共有ソフト", "ファイル 東京", YES),
    ("東京都庁の匿名ファイル共有ソフト", "ふぁいる", YES),
    ("東京都庁の匿名ファイル共有ソフト", "ﾌｧｲﾙ共有", YES),
    ("東京都庁の匿名ファイル共有ソフト", "大阪", NO),
    ("東京都庁の匿名ファイル共有ソフト", "東京 大阪", NO),
    ("東京都庁の匿名ファイル共有ソフト", "庁都", NO),
    ("ｶﾞﾝﾀﾞﾑ 第3話.mkv", "ガンダム", YES),
    ("ｶﾞﾝﾀﾞﾑ 第3話.mkv", "第3話", YES),
    ("ｶﾞﾝﾀﾞﾑ 第3話.mkv", "がんだむ mkv", YES),
    ("ｶﾞﾝﾀﾞﾑ 第3話.mkv", "第4話", NO),
    ("Ｗｉｎｎｙの技術（２００５）", "winny", YES),
    ("Ｗｉｎｎｙの技術（２００５）", "Winny 2005 技術", YES),
    ("関ヶ原の戦い", "関ケ原", YES),
    ("猫の写真", "猫", YES),
    ("雨.mp3", "雨", YES),
    ("おぼろ月夜", "オボロ", YES),
    ("サーバー", "サーバー", YES),
    // Chinese
    ("我想下载匿名网络软件", "匿名网络", YES),
    ("我想下载匿名网络软件", "下载", YES),
    ("我想下载匿名网络软件", "网络 软件", YES),
    ("我想下载匿名网络软件", "软件网络", NO),
    ("我想下载匿名网络软件", "上传", NO),
    ("北京大学-物理学.pdf", "北京 pdf", YES),
    ("臺灣大學", "大學", YES),
    // Korean
    ("익명 파일공유 프로그램", "파일", YES),
    ("익명 파일공유 프로그램", "공유", YES),
    ("익명 파일공유 프로그램", "파일공유", YES),
    ("익명 파일공유 프로그램", "음악", NO),
    ("책 목록", "책", YES),
    // Thai
    ("โปรแกรมแชร์ไฟล์นิรนาม", "แชร์ไฟล์", YES),
    ("โปรแกรมแชร์ไฟล์นิรนาม", "โปรแกรม", YES),
    ("โปรแกรมแชร์ไฟล์นิรนาม", "น้ำ", NO),
    ("น้ำแข็ง ๒๕๖๗", "2567 น้ำ", YES),
    // Arabic
    ("كتاب البرمجة", "كتاب", YES),
    ("كِتَابٌ قديم", "كتاب", YES),
    ("أحمد وإبراهيم", "احمد", YES),
    ("مكتبة ٢٠٢٤", "مكتبه 2024", YES),
    ("كتاب البرمجة", "قلم", NO),
    // German
    ("Die Straße nach München", "strasse", YES),
    ("Die Strasse nach Munchen", "Straße München", YES),
    ("ÄRGER_IM_BÜRO.avi", "ärger büro", YES),
    ("ÄRGER_IM_BÜRO.avi", "avi", YES),
    ("ÄRGER_IM_BÜRO.avi", "bür", NO),
    // French
    ("L’été à la plage", "été", YES),
    ("L'été à la plage", "l’ete", YES),
    ("Œuvres complètes", "oeuvres completes", YES),
    ("Œuvres complètes", "œuvre", NO),
    // Russian, Ukrainian
    ("Ёлка и дети", "елка", YES),
    ("ЁЛКА И ДЕТИ", "ёлка дети", YES),
    ("Зелёный йогурт", "зеленый", YES),
    ("М'ята", "мʼята", NO),
    ("М'ята", "м’ята", YES),
    // Greek
    ("Η Οδύσσεια του Ομήρου", "οδυσσεια", YES),
    ("ΟΔΥΣΣΕΥΣ", "οδυσσεύς", YES),
    // Turkish
    ("İSTANBUL'DA BİR GÜN", "istanbul", YES),
    ("Iğdır ışıkları", "ığdır", YES),
    ("Iğdır ışıkları", "igdir isiklari", YES),
    // Vietnamese
    ("Tiếng Việt cơ bản", "tieng viet", YES),
    ("Đà Nẵng", "da nang", YES),
    ("Da Nang", "đà nẵng", YES),
    // English and file names
    ("the_quick-brown.fox.tar.gz", "quick brown", YES),
    ("the_quick-brown.fox.tar.gz", "tar gz", YES),
    ("the_quick-brown.fox.tar.gz", "quic", NO),
    ("Björk - Jóga (1997) [FLAC]", "bjork joga flac", YES),
    ("Bjork", "BJÖRK", YES),
    ("Plan 9 from Bell Labs", "plan 9", YES),
    ("Plan 9 from Bell Labs", "plan 8", NO),
    ("C programming", "C", YES),
    ("ﬁle ｆｕｌｌ", "FILE full", YES),
    ("soft\u{ad}ware", "software", YES),
    ("Don't panic", "don’t", YES),
    ("anything at all", "!?", NO),
    ("anything at all", "", NO),
    // Hindi, Hebrew, Persian, Lao, Khmer: spelling marks stay, points go, keyboards agree
    ("हिन्दी किताब", "किताब", YES),
    ("שָׁלוֹם עולם", "שלום", YES),
    ("کتابخانه ملی", "كتابخانه", YES),
    ("ພາສາລາວ", "ລາວ", YES),
    ("ភាសាខ្មែរ", "ខ្មែរ", YES),
];

/// 100 characters, 300 bytes, most of them kanji.
const LONG_TITLE: &str = "春夏秋冬山川草木花鳥風月雪国伊豆踊子千羽鶴古都眠美女虹色奈落底暗闇光明希望絶望戦争平和人間失格斜陽走銀河鉄道夜注文多料理店風又三郎羅生門鼻芋粥蜘蛛糸杜春地獄変河童歯車侏儒言葉坊猫虞美草三四郎門行心道明";

#[test]
fn the_table_holds() {
    assert!(TABLE.len() >= 60);
    for (title, query, expected) in TABLE {
        assert_eq!(
            found(query, title),
            *expected,
            "title {title:?}, query {query:?}"
        );
    }
}

#[test]
fn any_two_characters_of_a_title_of_300_bytes_find_it() {
    assert_eq!(LONG_TITLE.len(), 300);
    let characters: Vec<char> = LONG_TITLE.chars().collect();
    for length in [2, 3, 5, 17, 100] {
        for part in characters.windows(length) {
            let part: String = part.iter().collect();
            assert!(found(&part, LONG_TITLE), "{part}");
        }
    }
}

#[test]
fn a_single_ideograph_finds_titles_where_it_is_a_word_and_only_those() {
    assert!(found("猫", "吾輩は猫である"));
    // In the title, but neither alone nor a word: a clear empty result, not a wrong one.
    assert!(!found("京", "東京都庁"));
}

#[test]
fn a_query_with_something_longer_does_not_ask_for_single_characters() {
    let asked: Vec<String> = terms::of_query("猫 写真 a")
        .iter()
        .map(|term| term.as_str().to_owned())
        .collect();
    assert_eq!(asked, ["写真"]);
    assert!(terms::matches("猫 写真 a", "写真a猫", &[]));
    assert!(!terms::matches("猫 写真 a", "写真", &[]));
}

#[test]
fn a_run_is_asked_for_by_bigrams_that_cover_it_without_repetition() {
    let asked = |query| {
        terms::of_query(query)
            .iter()
            .map(|term| term.as_str().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(asked("東京都庁"), ["東京", "都庁"]);
    assert_eq!(asked("東京都"), ["東京", "京都"]);
    assert_eq!(asked("東京 東京"), ["東京"]);
}

#[test]
fn keywords_are_found_like_the_title_and_come_first() {
    let keywords = ["匿名共有".to_owned(), "P2P".to_owned()];
    let published = terms::of_publication("おぼろ", &keywords);
    assert_eq!(published.first().map(Term::as_str), Some("p2p"));
    for query in ["匿名", "名共有", "p2p おぼろ"] {
        assert!(
            terms::of_query(query)
                .iter()
                .all(|term| published.contains(term)),
            "{query}"
        );
        assert!(terms::matches(query, "おぼろ", &published), "{query}");
    }
    assert!(!terms::matches("共有匿名", "おぼろ", &published));
}

#[test]
fn an_endless_text_gives_a_bounded_number_of_terms() {
    let words: String = (0..100_000).map(|n| format!("word{n} ")).collect();
    assert_eq!(terms::of_text(&words).len(), terms::TERMS_MAX);
    assert_eq!(terms::of_query(&words).len(), terms::QUERY_TERMS_MAX);
    let keywords = vec![words];
    assert_eq!(
        terms::of_publication("題名", &keywords).len(),
        terms::TERMS_MAX
    );
}

#[test]
fn terms_do_not_print_themselves() {
    assert_eq!(format!("{:?}", terms::of_text("secret")), "[Term(..)]");
}

fn found(query: &str, title: &str) -> bool {
    let published = terms::of_text(title);
    let asked = terms::of_query(query);
    let terms_agree = !asked.is_empty() && asked.iter().all(|term| published.contains(term));
    terms_agree && terms::matches(query, title, &[])
}

/// A title as files have it: words, runs without spaces, separators, at most 400 bytes.
fn any_title() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        "[a-zA-Zà-ÿа-яё0-9]{1,9}",
        "[一-龠]{1,12}",
        "[ぁ-んァ-ヴー]{1,12}",
        "[가-힣]{1,6}",
        "[ก-ฮะ-ู]{1,9}",
        "[ _.・()-]{1,3}",
    ];
    prop::collection::vec(part, 1..16).prop_map(|parts| {
        let mut title = parts.concat();
        while title.len() > 400 {
            title.pop();
        }
        title
    })
}

proptest! {
    #[test]
    fn any_part_of_a_run_and_any_words_find_their_title(title in any_title(), from: Index, length in 2usize..9) {
        let chars: Vec<char> = title.chars().collect();
        let runs: Vec<&[char]> = chars.chunk_by(|a, b| is_dense(*a) == is_dense(*b)).collect();
        let run = from.get(&runs);
        if is_dense(run[0]) && run.len() >= 2 {
            let start = from.index(run.len() - 1);
            let part: String = run[start..run.len().min(start + length)].iter().collect();
            prop_assert!(found(&part, &title), "{part:?} in {title:?}");
        } else if run.iter().any(|c| c.is_alphanumeric()) {
            let words: String = run.iter().collect();
            prop_assert!(found(&words, &title), "{words:?} in {title:?}");
        }
    }

    #[test]
    fn every_term_reads_back_as_itself(text in "\\PC{0,60}") {
        for term in terms::of_text(&text).into_iter().chain(terms::of_query(&text)) {
            prop_assert!(term.as_str().len() <= Term::BYTES_MAX);
            prop_assert_eq!(Term::parse(term.as_str()), Some(term));
        }
    }

    #[test]
    fn parsing_and_matching_survive_any_text(text in any::<String>(), other in any::<String>()) {
        if let Some(term) = Term::parse(&text) {
            prop_assert_eq!(term.as_str(), text.as_str());
        }
        let extra = terms::of_text(&other);
        if terms::matches(&text, &other, &extra) {
            prop_assert!(!terms::of_query(&text).is_empty());
        }
    }
}

fn is_dense(c: char) -> bool {
    matches!(c, '一'..='龠' | 'ぁ'..='ん' | 'ァ'..='ヴ' | 'ー' | '가'..='힣' | 'ก'..='ู')
}
