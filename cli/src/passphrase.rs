//! The passphrase of the key file: from a file or from the terminal, never from an argument.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use oboro_node::SecretBytes;
use oboro_node::api::{Code, Failure};
use zeroize::Zeroizing;

/// Longest passphrase in bytes.
const MAX: usize = 1024;

/// The first line of a file.
///
/// # Errors
/// `failed` if it can't be read, `usage` if the line is empty or too long.
pub fn from_file(path: &Path) -> Result<SecretBytes, Failure> {
    let shown = path.display();
    let file = File::open(path).and_then(from_reader);
    let bytes = file.map_err(|error| {
        Failure::new(
            Code::Failed,
            format!("can't read the passphrase file {shown}: {error}"),
        )
    })?;
    bytes.ok_or_else(|| {
        let message = format!("the first line of {shown} is empty or longer than {MAX} bytes");
        Failure::new(Code::Usage, message)
    })
}

/// What the process that started this one hands over on stdin; `None` if it hands over nothing.
///
/// # Errors
/// `failed` if stdin can't be read.
pub fn from_stdin() -> Result<Option<SecretBytes>, Failure> {
    from_reader(io::stdin().lock())
        .map_err(|error| Failure::new(Code::Failed, format!("can't read stdin: {error}")))
}

/// Asks on the terminal, without echo.
///
/// # Errors
/// `passphrase_needed` if there is no terminal to ask on.
pub fn ask() -> Result<SecretBytes, Failure> {
    prompt("Passphrase: ")
}

/// Asks for a new one, twice.
///
/// # Errors
/// As [`ask`]; `usage` if it is empty or the two differ.
pub fn ask_new() -> Result<SecretBytes, Failure> {
    let first = prompt("New passphrase: ")?;
    let second = prompt("Once more: ")?;
    if first.expose().is_empty() {
        return Err(Failure::new(Code::Usage, "the passphrase is empty"));
    }
    if first.expose() != second.expose() {
        return Err(Failure::new(Code::Usage, "the two passphrases differ"));
    }
    Ok(first)
}

fn prompt(text: &str) -> Result<SecretBytes, Failure> {
    let line = rpassword::prompt_password(text).map_err(|error| match error.kind() {
        io::ErrorKind::Interrupted => Failure::new(Code::Interrupted, "interrupted"),
        _ => Failure::new(
            Code::PassphraseNeeded,
            "a passphrase is needed and there is no terminal to ask on",
        )
        .hint("give --passphrase-file FILE or set OBORO_PASSPHRASE_FILE"),
    })?;
    Ok(SecretBytes::new(line.into_bytes()))
}

/// The first line without its end; `None` if it is empty or too long.
fn from_reader(reader: impl Read) -> io::Result<Option<SecretBytes>> {
    // Room for all of it at once: a vector that grows leaves copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX + 2));
    reader.take(MAX as u64 + 2).read_to_end(&mut bytes)?;
    let line = bytes
        .split(|byte| *byte == b'\n')
        .next()
        .unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let fits = (1..=MAX).contains(&line.len());
    Ok(fits.then(|| SecretBytes::new(line.to_vec())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Option<Vec<u8>> {
        let line = from_reader(bytes).unwrap();
        line.map(|line| line.expose().to_vec())
    }

    #[test]
    fn only_the_first_line_counts_and_its_end_does_not() {
        assert_eq!(read(b"open sesame\nnot this").unwrap(), b"open sesame");
        assert_eq!(read(b"open\r\n").unwrap(), b"open");
        assert_eq!(read(b" spaces count ").unwrap(), b" spaces count ");
    }

    #[test]
    fn empty_and_endless_lines_are_none() {
        assert_eq!(read(b""), None);
        assert_eq!(read(b"\nsecond"), None);
        assert_eq!(read(&[b'a'; 1024]).unwrap().len(), 1024);
        assert_eq!(read(&[b'a'; 1025]), None);
    }
}
