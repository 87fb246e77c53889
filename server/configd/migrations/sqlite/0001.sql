-- The store of the Config Server (ops.md §1.9). Times are milliseconds since 1970 in UTC; lists
-- and objects are JSON.

CREATE TABLE head (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  revision INTEGER NOT NULL,
  digest TEXT NOT NULL
) STRICT;

CREATE TABLE object (
  kind TEXT NOT NULL,
  dbid INTEGER NOT NULL,
  tenant_dbid INTEGER NOT NULL,
  name TEXT NOT NULL,
  name_key TEXT NOT NULL,
  revision INTEGER NOT NULL,
  enabled INTEGER NOT NULL,
  doc TEXT NOT NULL,
  PRIMARY KEY (kind, dbid)
) STRICT;

CREATE TABLE revision (
  revision INTEGER PRIMARY KEY,
  time_ms INTEGER NOT NULL,
  actor TEXT NOT NULL,
  token_id TEXT,
  source TEXT NOT NULL,
  user_agent TEXT NOT NULL,
  message TEXT NOT NULL,
  changes INTEGER NOT NULL,
  digest TEXT NOT NULL
) STRICT;

CREATE TABLE change (
  revision INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  op TEXT NOT NULL,
  kind TEXT NOT NULL,
  dbid INTEGER NOT NULL,
  before TEXT,
  after TEXT,
  was TEXT NOT NULL,
  "is" TEXT NOT NULL,
  PRIMARY KEY (revision, seq)
) STRICT;

CREATE INDEX change_object ON change (kind, dbid, revision);

CREATE TABLE dbid_counter (
  kind TEXT PRIMARY KEY,
  next INTEGER NOT NULL
) STRICT;

CREATE TABLE dbid_gone (
  kind TEXT NOT NULL,
  dbid INTEGER NOT NULL,
  PRIMARY KEY (kind, dbid)
) STRICT, WITHOUT ROWID;

CREATE TABLE token (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  hash TEXT NOT NULL,
  role TEXT NOT NULL,
  tenants TEXT NOT NULL,
  created_ms INTEGER NOT NULL,
  expires_ms INTEGER,
  last_used_ms INTEGER
) STRICT;

CREATE TABLE audit (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  time_ms INTEGER NOT NULL,
  actor TEXT NOT NULL,
  token_id TEXT,
  role TEXT NOT NULL,
  source TEXT NOT NULL,
  action TEXT NOT NULL,
  objects TEXT NOT NULL,
  outcome TEXT NOT NULL,
  problem TEXT,
  revision INTEGER,
  request_id TEXT NOT NULL
) STRICT;

CREATE INDEX audit_time ON audit (time_ms);

CREATE TABLE client (
  name TEXT PRIMARY KEY,
  source TEXT NOT NULL,
  seen_ms INTEGER NOT NULL,
  report TEXT NOT NULL
) STRICT;

CREATE TABLE meta (
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT;
