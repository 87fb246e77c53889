//! Boot settings and the snapshot source.
