//! Chance as an input: a small seeded generator that every machine is given at construction.
//!
//! xoshiro256++ (Blackman, Vigna): fast, even, and the same on every platform, so that a seed
//! replays a run. It must not be used for secrets; keys come from the shell. Session GUIDs, tags,
//! jitter and Retry-After values draw from it.

/// A seeded generator of numbers. Equal seeds give equal sequences.
#[derive(Clone, Debug)]
pub struct Chance {
    state: [u64; 4],
}

impl Chance {
    /// A generator for this seed. Any seed is good; all zeros are replaced by a constant.
    #[must_use]
    pub fn new(seed: [u64; 4]) -> Self {
        if seed == [0; 4] {
            return Self {
                state: [0x9E37_79B9_7F4A_7C15, 0xBF58_476D_1CE4_E5B9, 0x94D0_49BB_1331_11EB, 1],
            };
        }
        Self { state: seed }
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        let [a, b, c, d] = self.state;
        let result = a.wrapping_add(d).rotate_left(23).wrapping_add(a);
        let (c2, d2) = (c ^ a, d ^ b);
        self.state = [a ^ d2, b ^ c2, c2 ^ (b << 17), d2.rotate_left(45)];
        result
    }

    /// An even number in `0..n`; 0 when `n` is 0 (Lemire's method with rejection).
    pub fn below(&mut self, n: u64) -> u64 {
        if n == 0 {
            return 0;
        }
        let threshold = n.wrapping_neg() % n;
        loop {
            let wide = u128::from(self.next_u64()) * u128::from(n);
            #[expect(clippy::cast_possible_truncation, reason = "the low half is what is meant")]
            let low = wide as u64;
            if low >= threshold {
                return (wide >> 64) as u64;
            }
        }
    }

    /// Fills `out` with random bytes.
    pub fn fill(&mut self, out: &mut [u8]) {
        for chunk in out.chunks_mut(8) {
            let bytes = self.next_u64().to_be_bytes();
            for (to, from) in chunk.iter_mut().zip(bytes) {
                *to = from;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Chance;

    #[test]
    fn first_numbers_are_those_of_the_reference_implementation() {
        let mut chance = Chance::new([1, 2, 3, 4]);
        let first: Vec<u64> = (0..4).map(|_| chance.next_u64()).collect();
        assert_eq!(first, [41_943_041, 58_720_359, 3_588_806_011_781_223, 3_591_011_842_654_386]);
    }

    #[test]
    fn below_stays_below_and_reaches_all() {
        let mut chance = Chance::new([7; 4]);
        let mut seen = [0u32; 6];
        for _ in 0..6000 {
            seen[usize::try_from(chance.below(6)).unwrap()] += 1;
        }
        assert!(seen.iter().all(|n| (800..1200).contains(n)), "{seen:?}");
        assert_eq!((chance.below(0), chance.below(1)), (0, 0));
    }

    #[test]
    fn zero_seed_still_gives_numbers_and_seeds_replay() {
        assert_ne!(Chance::new([0; 4]).next_u64(), Chance::new([1; 4]).next_u64());
        let (mut a, mut b) = (Chance::new([5; 4]), Chance::new([5; 4]));
        let (mut x, mut y) = ([0; 13], [0; 13]);
        a.fill(&mut x);
        b.fill(&mut y);
        assert_eq!(x, y);
        assert_ne!(x, [0; 13]);
    }
}
