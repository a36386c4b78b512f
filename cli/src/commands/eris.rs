//! `oboro eris`: files to blocks in a folder and back, as any ERIS program does it. No node is involved.
//!
//! What is written appears whole or not at all: content only once all of it is right, each block only once all of it is
//! there.

use std::fs::{self, File, Permissions};
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use data_encoding::{BASE32_NOPAD, HEXLOWER_PERMISSIVE};
use oboro_node::api::{Code, Failure};
use oboro_node::eris::{self, BlockSize, Capability, ConvergenceSecret, DecodeError, Encoder};
use tempfile::NamedTempFile;

use super::fetch::may_write;
use super::interrupt::Interrupts;
use crate::args::{BlockBytes, ErisDecode, ErisEncode};
use crate::data::{Data, Decoded, Encoded, Outcome};
use crate::halt::Halt;
use crate::ui::Ui;

/// `oboro eris encode`
pub async fn encode(args: ErisEncode) -> Result<Outcome, Halt> {
    let encoded = off_thread(move |stop| encode_file(&args, stop)).await?;
    Ok(Data::Encoded(encoded).into())
}

/// `oboro eris decode`
pub async fn decode(args: ErisDecode, ui: &mut dyn Ui) -> Result<Outcome, Halt> {
    let capability = Capability::from_urn(args.urn.trim())
        .map_err(|error| Failure::new(Code::BadInput, error.to_string()))?;
    if args.output != Path::new("-") {
        let decoded = off_thread(move |stop| decode_file(&capability, &args, stop)).await?;
        return Ok(Data::Decoded(decoded).into());
    }
    let mut file = off_thread(move |stop| decode_aside(&capability, &args.blocks, stop)).await?;
    ui.pour(&mut file)?;
    Ok(Data::None {}.into())
}

/// Works on a thread of its own; Ctrl-C stops it at the next block, and what was half written is gone by then.
async fn off_thread<T: Send + 'static>(
    work: impl FnOnce(&AtomicBool) -> Result<T, Failure> + Send + 'static,
) -> Result<T, Halt> {
    let mut interrupts = Interrupts::listen()?;
    let stop = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&stop);
    let mut thread = tokio::task::spawn_blocking(move || work(&seen));
    let ended = tokio::select! {
        ended = &mut thread => ended,
        () = interrupts.pressed() => {
            stop.store(true, Ordering::Relaxed);
            thread.await
        }
    };
    let broke_down = |_| Failure::new(Code::Failed, "this is a defect of oboro");
    Ok(ended.map_err(broke_down)??)
}

fn encode_file(args: &ErisEncode, stop: &AtomicBool) -> Result<Encoded, Failure> {
    let size = match args.block_size {
        BlockBytes::Small => BlockSize::Small,
        BlockBytes::Large => BlockSize::Large,
    };
    let secret = secret(args.convergence_secret.as_deref())?;
    let file = open_file(&args.file)?;
    fs::create_dir_all(&args.blocks).map_err(|error| failed("make", &args.blocks, &error))?;
    let mut encoder = Encoder::new(BufReader::new(file), size, secret);
    let mut blocks = 0;
    loop {
        check(stop)?;
        let run = encoder
            .next_run()
            .map_err(|error| failed("read", &args.file, &error))?;
        let Some(run) = run else { break };
        for (reference, block) in run.references.iter().zip(&run.blocks) {
            write_block(&args.blocks, reference.as_bytes(), block)?;
            blocks += 1;
        }
    }
    let bytes = encoder.content_len();
    let unfinished = || Failure::new(Code::Failed, "the encoder gave no capability");
    let capability = encoder.capability().ok_or_else(unfinished)?;
    Ok(Encoded {
        urn: capability.to_urn(),
        block_size: size.bytes(),
        blocks,
        bytes,
    })
}

/// The convergence secret, or the null secret that ERIS programs use by default.
fn secret(hex: Option<&str>) -> Result<ConvergenceSecret, Failure> {
    let Some(hex) = hex else {
        return Ok(ConvergenceSecret::null());
    };
    let decoded = HEXLOWER_PERMISSIVE.decode(hex.as_bytes()).ok();
    let bytes = decoded.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    bytes.map(ConvergenceSecret::from_bytes).ok_or_else(|| {
        Failure::new(
            Code::BadInput,
            "a convergence secret is 64 hexadecimal digits",
        )
    })
}

fn open_file(path: &Path) -> Result<File, Failure> {
    let file = File::open(path).map_err(|error| failed("open", path, &error))?;
    let found = file
        .metadata()
        .map_err(|error| failed("open", path, &error))?;
    if found.is_dir() {
        return Err(Failure::new(
            Code::BadInput,
            format!("{} is a folder", path.display()),
        ));
    }
    Ok(file)
}

/// Writes a block under its name; one that is there already is the same block.
fn write_block(folder: &Path, reference: &[u8; 32], block: &[u8]) -> Result<(), Failure> {
    let path = block_path(folder, reference);
    if fs::metadata(&path).is_ok_and(|found| found.len() == block.len() as u64) {
        return Ok(());
    }
    let written = beside(folder).and_then(|mut file| {
        file.write_all(block)?;
        file.persist(&path).map_err(|error| error.error)
    });
    written
        .map(drop)
        .map_err(|error| failed("write", &path, &error))
}

fn block_path(folder: &Path, reference: &[u8; 32]) -> PathBuf {
    folder.join(BASE32_NOPAD.encode(reference))
}

fn decode_file(
    capability: &Capability,
    args: &ErisDecode,
    stop: &AtomicBool,
) -> Result<Decoded, Failure> {
    // A link is followed, so that the file it leads to is written and not the link replaced.
    let output = args
        .output
        .canonicalize()
        .unwrap_or_else(|_| args.output.clone());
    may_write(&output, args.force)?;
    let folder = output
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let mut file = beside(folder.unwrap_or(Path::new(".")))
        .map_err(|error| failed("write", &output, &error))?;
    let bytes = decode_into(capability, &args.blocks, file.as_file_mut(), stop)?;
    let synced = file.as_file().sync_all();
    let kept = synced.and_then(|()| file.persist(&output).map_err(|error| error.error));
    kept.map_err(|error| failed("write", &output, &error))?;
    Ok(Decoded {
        output: Some(output),
        bytes,
    })
}

/// Decodes into a file without a name, rewound.
fn decode_aside(
    capability: &Capability,
    blocks: &Path,
    stop: &AtomicBool,
) -> Result<File, Failure> {
    let aside = Path::new("a temporary file");
    let mut file = tempfile::tempfile().map_err(|error| failed("make", aside, &error))?;
    decode_into(capability, blocks, &mut file, stop)?;
    file.rewind()
        .map_err(|error| failed("read", aside, &error))?;
    Ok(file)
}

fn decode_into(
    capability: &Capability,
    folder: &Path,
    file: &mut File,
    stop: &AtomicBool,
) -> Result<u64, Failure> {
    let size = capability.block_size.bytes();
    let unwritable = |error| Failure::new(Code::Failed, format!("can't write: {error}"));
    let mut out = BufWriter::new(file);
    let decoded = eris::decode(
        capability,
        &mut |reference| {
            check(stop)?;
            read_block(&block_path(folder, reference.as_bytes()), size)
        },
        &mut out,
    );
    let bytes = decoded.map_err(|error| match error {
        DecodeError::Fetch(failure) => failure,
        DecodeError::Eris(error) => Failure::new(Code::BadInput, error.to_string()),
        DecodeError::Write(error) => unwritable(error),
    })?;
    out.flush().map_err(unwritable)?;
    Ok(bytes)
}

/// Reads no more of a block than blocks are long; a wrong length is found out by the decoder.
fn read_block(path: &Path, size: usize) -> Result<Vec<u8>, Failure> {
    let mut block = Vec::with_capacity(size + 1);
    let file = File::open(path).and_then(|file| file.take(size as u64 + 1).read_to_end(&mut block));
    match file {
        Ok(_) => Ok(block),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let message = format!("a block is missing: {}", path.display());
            Err(Failure::new(Code::BadInput, message))
        }
        Err(error) => Err(failed("read", path, &error)),
    }
}

fn check(stop: &AtomicBool) -> Result<(), Failure> {
    if stop.load(Ordering::Relaxed) {
        return Err(Failure::new(Code::Interrupted, "interrupted"));
    }
    Ok(())
}

/// A file in `folder` that becomes another, or nothing; with the rights that any new file gets.
fn beside(folder: &Path) -> io::Result<NamedTempFile> {
    let any = Permissions::from_mode(0o666);
    tempfile::Builder::new()
        .permissions(any)
        .tempfile_in(folder)
}

fn failed(what: &str, path: &Path, error: &io::Error) -> Failure {
    Failure::new(
        Code::Failed,
        format!("can't {what} {}: {error}", path.display()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stop() -> AtomicBool {
        AtomicBool::new(false)
    }

    fn encoded(folder: &Path, content: &[u8]) -> Encoded {
        let file = folder.join("content");
        fs::write(&file, content).unwrap();
        let args = ErisEncode {
            file,
            block_size: BlockBytes::Small,
            convergence_secret: None,
            blocks: folder.join("blocks"),
        };
        encode_file(&args, &stop()).unwrap()
    }

    fn decoded(folder: &Path, urn: &str, stop: &AtomicBool) -> Result<Vec<u8>, Failure> {
        let output = folder.join("output");
        let args = ErisDecode {
            urn: urn.to_owned(),
            blocks: folder.join("blocks"),
            output: output.clone(),
            force: true,
        };
        let capability = Capability::from_urn(urn).unwrap();
        let result = decode_file(&capability, &args, stop);
        assert_eq!(output.exists(), result.is_ok());
        result.map(|_| fs::read(output).unwrap())
    }

    #[test]
    fn what_is_encoded_decodes_the_same() {
        for length in [0, 1, 1023, 1024, 20_000] {
            let folder = tempfile::tempdir().unwrap();
            let content: Vec<u8> = (0..length).map(|i: u32| (i % 251) as u8).collect();
            let encoded = encoded(folder.path(), &content);
            assert_eq!(encoded.bytes, u64::from(length));
            assert_eq!(
                decoded(folder.path(), &encoded.urn, &stop()).unwrap(),
                content
            );
        }
    }

    #[test]
    fn a_missing_short_long_or_wrong_block_leaves_no_output() {
        type Harm = fn(&Path);
        let harms: [Harm; 4] = [
            |path| fs::remove_file(path).unwrap(),
            |path| fs::write(path, b"short").unwrap(),
            |path| fs::write(path, vec![0; 1025]).unwrap(),
            |path| fs::write(path, vec![0; 1024]).unwrap(),
        ];
        for harm in harms {
            let folder = tempfile::tempdir().unwrap();
            let encoded = encoded(folder.path(), &[7; 5000]);
            let block = fs::read_dir(folder.path().join("blocks"))
                .unwrap()
                .next()
                .unwrap();
            harm(&block.unwrap().path());
            let failure = decoded(folder.path(), &encoded.urn, &stop()).unwrap_err();
            assert_eq!(failure.exit, 1);
        }
    }

    #[test]
    fn an_interrupted_decode_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let encoded = encoded(folder.path(), b"content");
        let before = fs::read_dir(folder.path()).unwrap().count();
        let failure = decoded(folder.path(), &encoded.urn, &AtomicBool::new(true)).unwrap_err();
        assert_eq!(failure.code, Code::Interrupted);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), before);
    }

    #[test]
    fn only_64_hexadecimal_digits_are_a_secret() {
        assert!(secret(Some(&"0aF".repeat(22)[..64])).is_ok());
        for wrong in ["", "0", &"0".repeat(63), &"0".repeat(66), &"g".repeat(64)] {
            assert_eq!(secret(Some(wrong)).err().unwrap().exit, 1);
        }
    }
}
