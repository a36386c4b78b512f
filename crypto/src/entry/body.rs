//! What an entry says to those who know the word.
//!
//! Promises: one encoding per content, of one length; what decodes obeys all rules: a printable title, a capability that
//! fits the size, terms in order.
//! Does not know: the seal around it, or that the same content lies under many terms.

use std::fmt;

use zeroize::Zeroizing;

use super::reader::{Ended, Reader};
use super::{BodyError, Kind};
use crate::eris::{BlockSize, Capability};
use crate::ids::{IdentityPublic, NetworkId, Signature};
use crate::keys::IdentityKey;
use crate::labels;
use crate::terms::{self, TERMS_MAX, Term};

/// Longest title in bytes. File systems end at 255; 300 bytes are 100 Japanese characters.
pub const TITLE_MAX: usize = 400;

/// Bytes of an encoded body, padding included.
pub(super) const BODY_LEN: usize = 984;

/// Bytes of everything but title and terms: kind, size, capability, day, flag, publisher, two counts.
const FIXED_LEN: usize = 1 + 8 + Capability::LEN + 4 + 1 + PUBLISHER_LEN + 2 + 1;

/// Bytes of a publisher's key and signature. Their place is kept free, so that an unsigned body can always be signed.
const PUBLISHER_LEN: usize = 32 + 64;

// Every title leaves room for several terms, and has fewer than there may be: three bytes make at most one.
const _: () = assert!(FIXED_LEN + TITLE_MAX + 2 * (1 + Term::BYTES_MAX) <= BODY_LEN);
const _: () = assert!(TITLE_MAX / 3 < TERMS_MAX && TERMS_MAX <= u8::MAX as usize);

/// What is published under a term. Titles, terms and capabilities are not printed for debugging.
#[derive(Clone, PartialEq, Eq)]
pub struct EntryBody {
    /// Name for people: 1 to [`TITLE_MAX`] bytes, no control characters.
    pub title: String,
    /// Length of the content in bytes.
    pub size: u64,
    /// Sort of content.
    pub kind: Kind,
    /// Finds and opens the content; 32 KiB blocks.
    pub capability: Capability,
    /// Terms that do not follow from the title, ascending, without repetition.
    pub terms: Vec<Term>,
    /// Day of publication or renewal, counted from 1970-01-01 UTC.
    pub day: u32,
    /// Who vouches for it, if anybody: key and signature over all of the above.
    pub publisher: Option<(IdentityPublic, Signature)>,
}

impl EntryBody {
    /// A body without publisher. The title is cut to fit ([`fit_title`]); of `keywords` those terms are kept that the
    /// title does not give, the first ones that fit.
    #[must_use]
    pub fn new(
        title: &str,
        size: u64,
        kind: Kind,
        capability: Capability,
        keywords: &[Term],
        day: u32,
    ) -> Self {
        let title = fit_title(title).to_owned();
        let terms = fit_terms(&title, keywords);
        Self {
            title,
            size,
            kind,
            capability,
            terms,
            day,
            publisher: None,
        }
    }

    /// Signs it in the name of a publisher, on one network.
    pub fn sign(&mut self, network: &NetworkId, key: &IdentityKey) {
        let signature = key.sign(
            labels::PUBLISHER,
            &[network.as_bytes(), &*self.signed_part()],
        );
        self.publisher = Some((key.public(), signature));
    }

    /// Whether there is no publisher, or one who signed exactly this on this network.
    #[must_use]
    pub fn publisher_is_genuine(&self, network: &NetworkId) -> bool {
        self.publisher.as_ref().is_none_or(|(key, signature)| {
            key.verify(
                labels::PUBLISHER,
                &[network.as_bytes(), &*self.signed_part()],
                signature,
            )
        })
    }

    /// Exactly [`BODY_LEN`] bytes: kind, size, capability, day, flag and publisher, title, terms, zeros.
    pub(super) fn encode(&self) -> Result<Zeroizing<Vec<u8>>, BodyError> {
        self.check()?;
        let mut bytes = self.signed_part();
        match &self.publisher {
            None => bytes.push(0),
            Some((key, signature)) => {
                bytes.push(1);
                bytes.extend_from_slice(&key.0);
                bytes.extend_from_slice(&signature.0);
            }
        }
        if bytes.len() > BODY_LEN {
            return Err(BodyError::Terms);
        }
        bytes.resize(BODY_LEN, 0);
        Ok(bytes)
    }

    /// Reads what [`EntryBody::encode`] writes, and nothing else.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, BodyError> {
        if bytes.len() != BODY_LEN {
            return Err(BodyError::Malformed);
        }
        let mut reader = Reader::new(bytes);
        let kind = Kind::from_code(reader.u8()?).ok_or(BodyError::Malformed)?;
        let size = reader.u64()?;
        let capability = Capability::from_bytes(reader.slice(Capability::LEN)?)?;
        let day = reader.u32()?;
        let title_len = usize::from(reader.u16()?);
        let title = std::str::from_utf8(reader.slice(title_len)?)
            .map_err(|_| BodyError::Title)?
            .to_owned();
        let terms = (0..reader.u8()?)
            .map(|_| read_term(&mut reader))
            .collect::<Result<_, _>>()?;
        let publisher = match reader.u8()? {
            0 => None,
            1 => Some((IdentityPublic(reader.array()?), Signature(reader.array()?))),
            _ => return Err(BodyError::Malformed),
        };
        if reader.rest().iter().any(|&byte| byte != 0) {
            return Err(BodyError::Malformed);
        }
        let body = Self {
            title,
            size,
            kind,
            capability,
            terms,
            day,
            publisher,
        };
        body.check()?;
        Ok(body)
    }

    /// The rules that the types do not express.
    fn check(&self) -> Result<(), BodyError> {
        let title = &self.title;
        if title.is_empty() || title.len() > TITLE_MAX || title.chars().any(is_control) {
            return Err(BodyError::Title);
        }
        let ascending = self.terms.windows(2).all(|pair| pair[0] < pair[1]);
        if !ascending || self.terms.len() > TERMS_MAX {
            return Err(BodyError::Terms);
        }
        if self.capability.block_size != BlockSize::Large || !self.capability.admits(self.size) {
            return Err(BodyError::Size);
        }
        Ok(())
    }

    /// Everything but the publisher, as it is encoded and as the publisher signs it.
    fn signed_part(&self) -> Zeroizing<Vec<u8>> {
        // Room for all of it at once: growing would leave copies of the capability behind.
        let terms: usize = self.terms.iter().map(|term| 1 + term.as_str().len()).sum();
        let room = FIXED_LEN + self.title.len() + terms;
        let mut bytes = Zeroizing::new(Vec::with_capacity(room.max(BODY_LEN)));
        bytes.push(self.kind.code());
        bytes.extend_from_slice(&self.size.to_le_bytes());
        bytes.extend_from_slice(&*Zeroizing::new(self.capability.to_bytes()));
        bytes.extend_from_slice(&self.day.to_le_bytes());
        bytes.extend_from_slice(&(self.title.len() as u16).to_le_bytes());
        bytes.extend_from_slice(self.title.as_bytes());
        bytes.push(self.terms.len() as u8);
        for term in &self.terms {
            bytes.push(term.as_str().len() as u8);
            bytes.extend_from_slice(term.as_str().as_bytes());
        }
        bytes
    }
}

impl fmt::Debug for EntryBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EntryBody(..)")
    }
}

/// The longest beginning of a title that an entry can carry: at most [`TITLE_MAX`] bytes, cut at a character, and before
/// the first control character.
#[must_use]
pub fn fit_title(title: &str) -> &str {
    let plain = title.find(is_control).map_or(title, |end| &title[..end]);
    terms::prefix(plain, TITLE_MAX)
}

/// The first terms that the title does not give and that fit beside it, ascending.
fn fit_terms(title: &str, keywords: &[Term]) -> Vec<Term> {
    let given = terms::of_text(title);
    let mut room = BODY_LEN - FIXED_LEN - title.len();
    let mut kept = Vec::new();
    for term in keywords.iter().filter(|term| !given.contains(term)) {
        let need = 1 + term.as_str().len();
        if need <= room && kept.len() < TERMS_MAX && !kept.contains(term) {
            room -= need;
            kept.push(term.clone());
        }
    }
    kept.sort();
    kept
}

fn read_term(reader: &mut Reader<'_>) -> Result<Term, BodyError> {
    let len = usize::from(reader.u8()?);
    let text = std::str::from_utf8(reader.slice(len)?).map_err(|_| BodyError::Terms)?;
    Term::parse(text).ok_or(BodyError::Terms)
}

/// Characters that could take over a terminal or show a title as something else: controls, line and paragraph
/// separators, and those that turn the direction of text.
fn is_control(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

impl From<Ended> for BodyError {
    fn from(_: Ended) -> Self {
        Self::Malformed
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;
    use crate::eris::BlockKey;
    use crate::hash::blake2b_256;
    use crate::ids::Reference;
    use data_encoding::HEXLOWER;

    pub(in crate::entry) const NETWORK: NetworkId = NetworkId([5; 32]);

    pub(in crate::entry) fn body(title: &str, size: u64, keywords: &str) -> EntryBody {
        let capability = Capability {
            block_size: BlockSize::Large,
            level: BlockSize::Large.level_for(size),
            root: Reference([1; 32]),
            key: BlockKey::from_bytes([2; 32]),
        };
        EntryBody::new(
            title,
            size,
            Kind::of_name(title),
            capability,
            &terms::of_text(keywords),
            20_000,
        )
    }

    pub(in crate::entry) fn any_body() -> impl Strategy<Value = EntryBody> {
        let title = prop_oneof!["[ -~]{1,60}", "[一-龠ぁ-んァ-ヴ]{1,140}", "\\PC{1,40}"];
        let keywords = prop_oneof!["[a-z ]{0,200}", "[一-龠]{0,100}"];
        (title, 0..1u64 << 45, keywords, any::<Option<[u8; 32]>>())
            .prop_filter("a title has something to show", |(title, ..)| {
                !fit_title(title).is_empty()
            })
            .prop_map(|(title, size, keywords, publisher)| {
                let mut body = body(&title, size, &keywords);
                if let Some(seed) = publisher {
                    let mut rng = ChaCha20Rng::from_seed(seed);
                    body.sign(&NETWORK, &IdentityKey::generate(&mut rng));
                }
                body
            })
    }

    #[test]
    fn a_body_has_fixed_bytes() {
        let bytes = body("東京都庁.pdf", 1 << 20, "oboro 都庁")
            .encode()
            .unwrap();
        let expected = concat!(
            "01",
            "0000100000000000",
            "0f01",
            "0101010101010101010101010101010101010101010101010101010101010101",
            "0202020202020202020202020202020202020202020202020202020202020202",
            "204e0000",
            "1000",
            "e69db1e4baace983bde5ba812e706466",
            "01",
            "05",
            "6f626f726f",
            "00",
        );
        let (used, padding) = bytes.split_at(expected.len() / 2);
        assert_eq!(HEXLOWER.encode(used), expected);
        assert!(padding.iter().all(|&byte| byte == 0));
        assert_eq!(bytes.len(), BODY_LEN);
    }

    #[test]
    fn terms_of_the_title_are_not_carried_and_further_ones_are_as_they_fit() {
        assert_eq!(body("東京都庁", 1, "東京 庁舎 a b").terms.len(), 3);
        let long = "漢".repeat(500);
        let many: String = ('一'..'龠').take(500).collect();
        let full = body(&long, 1, &many);
        assert_eq!(full.title.len(), 399);
        assert!(full.terms.len() > 50);
        assert!(full.encode().is_ok());
        let mut signed = full;
        signed.sign(
            &NETWORK,
            &IdentityKey::generate(&mut ChaCha20Rng::from_seed([1; 32])),
        );
        assert!(signed.encode().is_ok());
    }

    #[test]
    fn titles_are_cut_at_characters_and_before_controls() {
        assert_eq!(fit_title(&"あ".repeat(200)).len(), 399);
        assert_eq!(fit_title("a\u{1b}[31mred"), "a");
        assert_eq!(fit_title("invoice\u{202e}fdp.exe"), "invoice");
        assert_eq!(fit_title("\n"), "");
    }

    #[test]
    fn bodies_that_break_a_rule_are_not_encoded() {
        let good = body("title", 1, "");
        let with = |change: fn(&mut EntryBody)| {
            let mut body = good.clone();
            change(&mut body);
            body.encode().map(|_| ())
        };
        assert_eq!(with(|_| ()), Ok(()));
        assert_eq!(with(|body| body.title.clear()), Err(BodyError::Title));
        assert_eq!(with(|body| body.title.push('\n')), Err(BodyError::Title));
        assert_eq!(
            with(|body| body.title = "a".repeat(TITLE_MAX + 1)),
            Err(BodyError::Title)
        );
        assert_eq!(with(|body| body.size = 1 << 30), Err(BodyError::Size));
        assert_eq!(
            with(|body| body.capability.level = 200),
            Err(BodyError::Size)
        );
        assert_eq!(
            with(|body| body.capability.block_size = BlockSize::Small),
            Err(BodyError::Size)
        );
        assert_eq!(
            with(|body| body.terms = terms::of_text("b a2 b2").into_iter().rev().collect()),
            Err(BodyError::Terms)
        );
        assert_eq!(
            with(|body| body.terms = terms::of_text(&('一'..'龠').take(161).collect::<String>())),
            Err(BodyError::Terms)
        );
    }

    #[test]
    fn a_publisher_vouches_for_every_field_on_one_network() {
        let mut signed = body("title", 1, "word");
        signed.sign(
            &NETWORK,
            &IdentityKey::generate(&mut ChaCha20Rng::from_seed([1; 32])),
        );
        assert!(signed.publisher_is_genuine(&NETWORK));
        assert!(!signed.publisher_is_genuine(&NetworkId([6; 32])));
        let changes: [fn(&mut EntryBody); 6] = [
            |body| body.title.push('!'),
            |body| body.size += 1,
            |body| body.kind = Kind::Video,
            |body| body.capability.root = Reference(blake2b_256(b"other")),
            |body| body.terms.clear(),
            |body| body.day += 1,
        ];
        for change in changes {
            let mut forged = signed.clone();
            change(&mut forged);
            assert!(!forged.publisher_is_genuine(&NETWORK));
        }
    }

    proptest! {
        #[test]
        fn what_was_encoded_decodes_to_the_same(body in any_body()) {
            let bytes = body.encode().unwrap();
            prop_assert_eq!(bytes.len(), BODY_LEN);
            prop_assert_eq!(EntryBody::decode(&bytes), Ok(body));
        }

        #[test]
        fn damaged_bodies_never_panic_and_have_no_second_spelling(
            body in any_body(), at in 0..BODY_LEN, flip in 1u8.., len in 0..BODY_LEN + 9,
        ) {
            let mut bytes = body.encode().unwrap().to_vec();
            bytes[at] ^= flip;
            if let Ok(other) = EntryBody::decode(&bytes) {
                prop_assert_ne!(&other, &body);
                prop_assert_eq!(other.encode().unwrap().to_vec(), bytes.clone());
            }
            bytes.resize(len, 0);
            if len != BODY_LEN {
                prop_assert!(EntryBody::decode(&bytes).is_err());
            }
        }

        #[test]
        fn invented_bodies_never_panic(bytes in prop::collection::vec(any::<u8>(), BODY_LEN)) {
            prop_assert!(EntryBody::decode(&bytes).is_err());
        }
    }
}
