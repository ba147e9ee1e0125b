//! Read the bytes of files.

#![forbid(unsafe_code)]

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::time::SystemTime;

use crate::scan::{Doubtful, Sure};

/// Read a whole regular file; one that cannot be read, is larger, or changes its size meanwhile is doubtful.
pub fn read_file(path: &OsString, most_bytes: u64, buffer: &mut Vec<u8>) -> Sure<()> {
    let (mut file, size) = open(path)?;
    if size > most_bytes {
        return Err(Doubtful);
    }
    let size = usize::try_from(size).map_err(|_| Doubtful)?;
    buffer.clear();
    // One byte more than there should be shows whether there is more.
    let found = append(&mut file, size, size + 1, buffer)?;
    if found == size { Ok(()) } else { Err(Doubtful) }
}

/// Append the bytes between two offsets of a file to a buffer.
pub fn read_span(file: &mut File, start: u64, end: u64, buffer: &mut Vec<u8>) -> Sure<()> {
    let wanted = usize::try_from(end.checked_sub(start).ok_or(Doubtful)?).map_err(|_| Doubtful)?;
    file.seek(SeekFrom::Start(start)).map_err(|_| Doubtful)?;
    if append(file, wanted, wanted, buffer)? == wanted { Ok(()) } else { Err(Doubtful) }
}

/// Append at least `least` and at most `most` bytes, or all that there are, and return their number.
fn append(file: &mut File, least: usize, most: usize, buffer: &mut Vec<u8>) -> Sure<usize> {
    let start = buffer.len();
    buffer.resize(start + most, 0);
    let mut found = 0;
    while found < least {
        match file.read(&mut buffer[start + found..]).map_err(|_| Doubtful)? {
            0 => break,
            count => found += count,
        }
    }
    buffer.truncate(start + found);
    Ok(found)
}

/// When the content of a file was changed.
pub fn modified(file: &File) -> Sure<SystemTime> {
    file.metadata().and_then(|metadata| metadata.modified()).map_err(|_| Doubtful)
}

/// Open a regular file, with its size.
pub fn open(path: &OsString) -> Sure<(File, u64)> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        // A FIFO that has replaced the file since it was listed must not block.
        options.custom_flags(libc::O_NONBLOCK);
    }
    let file = options.open(path).map_err(|_| Doubtful)?;
    let metadata = file.metadata().map_err(|_| Doubtful)?;
    if metadata.is_file() { Ok((file, metadata.len())) } else { Err(Doubtful) }
}
