//! Missing sequences, and since when they are missing.

/// A missing interval of a stream, both ends included.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Gap {
    /// The first sequence.
    pub from: u64,
    /// The last one.
    pub to: u64,
    /// When it was first known to be missing: when a later one came or was announced.
    pub since_ms: i64,
}

impl Gap {
    /// Whether it counts: it has been open for longer than records overtake each other.
    #[must_use]
    pub const fn is_open(&self, now_ms: i64) -> bool {
        now_ms.saturating_sub(self.since_ms) > super::GAP_AFTER_MS
    }

    /// How many records are missing.
    #[must_use]
    pub const fn records(&self) -> u64 {
        (self.to - self.from).saturating_add(1)
    }

    /// Gaps as one column holds them: from, to and since, 8 bytes each, big-endian.
    #[must_use]
    pub fn encode(gaps: &[Self]) -> Vec<u8> {
        let fields = |gap: &Self| [gap.from, gap.to, gap.since_ms.cast_unsigned()];
        gaps.iter().flat_map(fields).flat_map(u64::to_be_bytes).collect()
    }

    /// Reads that column; what is no gap is left out.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Vec<Self> {
        let (rows, _) = bytes.as_chunks::<24>();
        let gaps = rows.iter().map(|row| {
            let (fields, _) = row.as_chunks::<8>();
            let field = |at: usize| fields.get(at).map_or(0, |bytes| u64::from_be_bytes(*bytes));
            Self { from: field(0), to: field(1), since_ms: field(2).cast_signed() }
        });
        gaps.filter(|gap| gap.from <= gap.to).collect()
    }
}

/// The gaps that are there now, each as old as the gap that it was part of.
#[must_use]
pub fn follow(before: &[Gap], now: &[(u64, u64)], at_ms: i64) -> Vec<Gap> {
    let mut known = before.iter().peekable();
    let gaps = now.iter().map(|(from, to)| {
        while known.next_if(|gap| gap.to < *from).is_some() {}
        let old = known.peek().filter(|gap| gap.from <= *to);
        Gap { from: *from, to: *to, since_ms: old.map_or(at_ms, |gap| gap.since_ms) }
    });
    gaps.collect()
}
