//! A file as an Arrow buffer without copying: the one place of this crate that needs `unsafe`.

use arrow::buffer::Buffer;
use memmap2::Mmap;
use std::{fs::File, io, path::Path, ptr::NonNull, sync::Arc};

/// Maps the whole file for reading. The map lives as long as any buffer that was cut from it.
pub(crate) fn map(path: &Path) -> io::Result<Buffer> {
    let file = File::open(path)?;
    if file.metadata()?.len() == 0 {
        return Ok(Buffer::from_vec(Vec::<u8>::new()));
    }
    #[expect(unsafe_code, reason = "segments are never changed in place: written aside, renamed, later only unlinked")]
    let mmap = Arc::new(unsafe { Mmap::map(&file)? });
    let Some(start) = NonNull::new(mmap.as_ptr().cast_mut()) else {
        return Err(io::Error::other("the file is mapped nowhere"));
    };
    let len = mmap.len();
    #[expect(unsafe_code, reason = "start and len are those of the map, which the buffer keeps alive")]
    Ok(unsafe { Buffer::from_custom_allocation(start, len, mmap) })
}
