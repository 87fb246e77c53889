-- Retention: who holds which job, and days of tenants and profiles (spec rs.md §3.2, §4.10, §10).

CREATE TABLE rs_lease (
  name nvarchar(64) COLLATE Latin1_General_100_BIN2 NOT NULL,
  holder nvarchar(256) COLLATE Latin1_General_100_BIN2 NOT NULL,
  fence bigint NOT NULL,
  until_ms bigint NOT NULL,
  CONSTRAINT rs_lease_pk PRIMARY KEY CLUSTERED (name)
);

-- scope: 0 tenant, 1 profile; days, null = what stands above
CREATE TABLE rs_retention_override (
  scope tinyint NOT NULL,
  id bigint NOT NULL,
  cdr int,
  events int,
  var int,
  set_ms bigint NOT NULL,
  CONSTRAINT rs_retention_override_pk PRIMARY KEY CLUSTERED (scope, id)
);
GO
GRANT SELECT, INSERT, UPDATE, DELETE ON rs_lease TO rs_writer;
GRANT SELECT, INSERT, UPDATE, DELETE ON rs_retention_override TO rs_writer;
GRANT SELECT ON rs_lease TO rs_reader;
GRANT SELECT ON rs_retention_override TO rs_reader;
