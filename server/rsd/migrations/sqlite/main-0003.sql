-- Retention: who holds which job, days of tenants and profiles, and days that are being removed
-- (spec rs.md §3.2, §4.10, §10).

CREATE TABLE rs_lease (
  name TEXT PRIMARY KEY,
  holder TEXT NOT NULL,
  fence INTEGER NOT NULL,
  until_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- scope: 0 tenant, 1 profile; days, null = what stands above
CREATE TABLE rs_retention_override (
  scope INTEGER NOT NULL,
  id INTEGER NOT NULL,
  cdr INTEGER,
  events INTEGER,
  var INTEGER,
  set_ms INTEGER NOT NULL,
  PRIMARY KEY (scope, id)
) STRICT, WITHOUT ROWID;

-- what its file had counted is in rs_figure, so many rows; the file itself may still be there
CREATE TABLE rs_day_gone (
  day INTEGER PRIMARY KEY,
  figures INTEGER NOT NULL
) STRICT;
