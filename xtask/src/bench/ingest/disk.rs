//! What the disk itself can do: one write of 1 KiB in place after the other, each synced.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::FileExt;
use std::time::Duration;

use anyhow::Result;

use crate::bench::proxy::now;
use crate::bench::proxy::site::Folder;

const BYTES: usize = 16 << 20;
const WRITE: [u8; 1024] = [0x5a; 1024];
const TIME: Duration = Duration::from_secs(2);

/// `fdatasync` calls a second in the folder where the systems have theirs.
pub(super) fn syncs_per_second() -> Result<f64> {
    let folder = Folder::new()?;
    let mut file = File::options().write(true).create_new(true).open(folder.path().join("disk"))?;
    file.write_all(&vec![0; BYTES])?;
    file.sync_all()?;
    let (mut count, mut at) = (0_u32, 0);
    let start = now();
    while start.elapsed() < TIME {
        file.write_all_at(&WRITE, at)?;
        file.sync_data()?;
        at = (at + 1024) % (16 << 20);
        count += 1;
    }
    Ok(f64::from(count) / start.elapsed().as_secs_f64())
}
