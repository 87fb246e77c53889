-- Numbers that are erased on request (spec rs.md §8): by their hashes, with how far each has come.

CREATE TABLE rs_erasure (
  no INTEGER PRIMARY KEY,
  digits INTEGER NOT NULL,
  hash BLOB NOT NULL,
  requested_ms INTEGER NOT NULL,
  ended_ms INTEGER,
  calls INTEGER NOT NULL DEFAULT 0,
  rows INTEGER NOT NULL DEFAULT 0,
  day INTEGER NOT NULL DEFAULT 0,
  stage INTEGER NOT NULL DEFAULT 0,
  after BLOB NOT NULL DEFAULT x'',
  changed INTEGER NOT NULL DEFAULT 0
) STRICT;
