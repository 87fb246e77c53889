//! A batch that reads more of what is stored than is read at once, half by half.

use super::StoreError;

/// Stores items, each half for itself where all of them read too much at once: nothing of them is
/// stored then.
pub(super) fn halved(
    items: &[usize],
    store: &mut impl FnMut(&[usize]) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    match store(items) {
        Err(StoreError::TooMuch) if items.len() > 1 => {
            let (first, second) = items.split_at(items.len() / 2);
            halved(first, store)?;
            halved(second, store)
        }
        done => done,
    }
}
