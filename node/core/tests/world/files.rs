//! The files of a shell: one being published with its parity, one being fetched that is recovered from parity.

use std::io::{Cursor, Read};

use oboro_core::action::Recover;
use oboro_core::event::{SinkEvent, SourceEvent};
use oboro_crypto::eris::{BlockSize, ConvergenceSecret, Encoder, open_leaf, unpad};
use oboro_crypto::parity::{ParityStream, fill_leaf, recover};

const LEAF: usize = 32_768;

/// A file being published: its runs, its end, and the same of its parity.
pub(super) struct Source {
    content: Vec<u8>,
    secret: [u8; 32],
    file: Option<Encoder<Cursor<Vec<u8>>>>,
    parity: Option<Encoder<Box<dyn Read>>>,
}

impl Source {
    pub(super) fn new(content: &[u8], secret: [u8; 32]) -> Self {
        let reader = Cursor::new(content.to_vec());
        let convergence = ConvergenceSecret::from_bytes(secret);
        Self {
            content: content.to_vec(),
            secret,
            file: Some(Encoder::new(reader, BlockSize::Large, convergence)),
            parity: None,
        }
    }

    pub(super) fn next(&mut self) -> Option<SourceEvent> {
        if let Some(file) = &mut self.file {
            if let Some(run) = file.next_run().unwrap() {
                return Some(SourceEvent::Run(run));
            }
            let file = self.file.take().unwrap();
            let length = file.content_len();
            let content = std::mem::take(&mut self.content);
            let read = move |offset: u64, bytes: &mut [u8]| {
                let at = offset as usize;
                bytes.copy_from_slice(&content[at..at + bytes.len()]);
                Ok(())
            };
            let mut secret = self.secret;
            secret[0] ^= 0xff;
            let secret = ConvergenceSecret::from_bytes(secret);
            self.parity = ParityStream::new(length, read).map(|parity| {
                Encoder::new(Box::new(parity) as Box<dyn Read>, BlockSize::Large, secret)
            });
            let capability = file.capability().unwrap();
            return Some(SourceEvent::End { capability, length });
        }
        if let Some(run) = self.parity.as_mut()?.next_run().unwrap() {
            return Some(SourceEvent::ParityRun(run));
        }
        let parity = self.parity.take()?;
        let length = parity.content_len();
        let capability = parity.capability().unwrap();
        Some(SourceEvent::ParityEnd { capability, length })
    }
}

/// Recovers what is missing of a file.
pub(super) fn recovered(file: &mut Vec<u8>, wish: Recover) -> SinkEvent {
    let parity: Vec<(u64, Vec<Vec<u8>>)> = wish
        .parity
        .into_iter()
        .map(|(number, blocks)| {
            let open = |(mut block, key): (Vec<u8>, _)| {
                open_leaf(&mut block, &key);
                block
            };
            (number, blocks.into_iter().map(open).collect())
        })
        .collect();
    let there = file.clone();
    let mut read = |leaf: u64, block: &mut [u8]| {
        let last = leaf + 1 == wish.group.leaves;
        let length = if last { there.len() as u64 } else { u64::MAX };
        fill_leaf(length, leaf, block, &mut |offset, bytes| {
            let at = offset as usize;
            bytes.copy_from_slice(&there[at..at + bytes.len()]);
            Ok::<(), ()>(())
        })
    };
    let mut write = |leaf: u64, plain: &[u8]| {
        let at = leaf as usize * LEAF;
        let last = leaf + 1 == wish.group.leaves;
        let length = if last { unpad(plain).unwrap() } else { LEAF };
        if file.len() < at + length {
            file.resize(at + length, 0);
        }
        file[at..at + length].copy_from_slice(&plain[..length]);
        Ok(())
    };
    let done = recover(&wish.group, &wish.missing, &parity, &mut read, &mut write);
    SinkEvent::Recovered {
        right: done.is_ok(),
    }
}
