//! One seed, many generators: each part of a world has chance of its own, spread over all bits
//! (`SplitMix64`), so that neighbouring seeds have nothing in common.

use model::chance::Chance;

/// The generator of a part.
#[must_use]
pub(crate) fn chance(seed: u64, part: u64) -> Chance {
    let mut state = seed ^ part.wrapping_mul(0xD134_2543_DE82_EF95);
    Chance::new(core::array::from_fn(|_| {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }))
}
