-- What hangs on calls: reports of voice applications and quality (spec rs.md §2.5, §2.7), and
-- integrity by start of a producer (§6).

ALTER TABLE rs_var_call ADD actions bigint NOT NULL DEFAULT 0;
ALTER TABLE rs_var_call ADD ignored bigint NOT NULL DEFAULT 0;

CREATE TABLE rs_var_action (
  day int NOT NULL,
  call_key binary(16) NOT NULL,
  n bigint NOT NULL,
  action nvarchar(128) COLLATE Latin1_General_100_BIN2 NOT NULL,
  parent_n bigint,
  started_ms bigint NOT NULL,
  ended_ms bigint,
  result tinyint,
  reason nvarchar(512) COLLATE Latin1_General_100_BIN2,
  notes nvarchar(max) COLLATE Latin1_General_100_BIN2,
  is_last bit NOT NULL,
  CONSTRAINT rs_var_action_pk PRIMARY KEY CLUSTERED (day, call_key, n)
);

CREATE INDEX rs_var_action_name ON rs_var_action (action, day);

CREATE TABLE rs_var_custom (
  day int NOT NULL,
  call_key binary(16) NOT NULL,
  name nvarchar(128) COLLATE Latin1_General_100_BIN2 NOT NULL,
  value nvarchar(512) COLLATE Latin1_General_100_BIN2 NOT NULL,
  CONSTRAINT rs_var_custom_pk PRIMARY KEY CLUSTERED (day, call_key, name)
);

CREATE INDEX rs_var_custom_value ON rs_var_custom (name, value, day);

-- fact: as core/rs writes it
CREATE TABLE rs_sq_call (
  day int NOT NULL,
  id_key binary(16) NOT NULL,
  component_id bigint NOT NULL,
  session_id nvarchar(256) COLLATE Latin1_General_100_BIN2 NOT NULL,
  guid nvarchar(128) COLLATE Latin1_General_100_BIN2,
  time_ms bigint NOT NULL,
  failed bit NOT NULL,
  fact varbinary(max) NOT NULL,
  CONSTRAINT rs_sq_call_pk PRIMARY KEY CLUSTERED (day, id_key)
);

CREATE INDEX rs_sq_call_session ON rs_sq_call (component_id, session_id, day);

-- id_key: the record that told it
CREATE TABLE rs_sq_failure (
  day int NOT NULL,
  failure_key binary(16) NOT NULL,
  id_key binary(16) NOT NULL,
  time_ms bigint NOT NULL,
  component_id bigint NOT NULL,
  session_id nvarchar(256) COLLATE Latin1_General_100_BIN2 NOT NULL,
  guid nvarchar(128) COLLATE Latin1_General_100_BIN2,
  profile_id bigint,
  tenant_id bigint,
  type tinyint NOT NULL,
  latency_type nvarchar(128) COLLATE Latin1_General_100_BIN2,
  value_ms bigint,
  threshold_ms bigint,
  text nvarchar(512) COLLATE Latin1_General_100_BIN2,
  CONSTRAINT rs_sq_failure_pk PRIMARY KEY CLUSTERED (day, failure_key)
);

CREATE INDEX rs_sq_failure_record ON rs_sq_failure (id_key, day);

CREATE INDEX rs_sq_failure_time ON rs_sq_failure (time_ms);

CREATE INDEX rs_sq_failure_component ON rs_sq_failure (component_id, time_ms);

CREATE INDEX rs_sq_failure_profile ON rs_sq_failure (profile_id, time_ms);

-- what is missing: from, to, since, 8 bytes each
ALTER TABLE rs_producer_stream ADD gaps varbinary(max);

-- boot: -1 = none; the books begin anew
DROP TABLE rs_integrity_minute;
CREATE TABLE rs_integrity_minute (
  producer nvarchar(256) COLLATE Latin1_General_100_BIN2 NOT NULL,
  boot bigint NOT NULL,
  minute_ms bigint NOT NULL,
  calls_in bigint NOT NULL,
  records_out bigint NOT NULL,
  adopted_in bigint NOT NULL,
  handed_out bigint NOT NULL,
  rejected bigint NOT NULL,
  in_progress bigint NOT NULL,
  CONSTRAINT rs_integrity_minute_pk PRIMARY KEY CLUSTERED (producer, boot, minute_ms)
);

CREATE INDEX rs_integrity_minute_time ON rs_integrity_minute (minute_ms);

DROP TABLE rs_stored_minute;
CREATE TABLE rs_stored_minute (
  producer nvarchar(256) COLLATE Latin1_General_100_BIN2 NOT NULL,
  boot bigint NOT NULL,
  minute_ms bigint NOT NULL,
  stored bigint NOT NULL,
  CONSTRAINT rs_stored_minute_pk PRIMARY KEY CLUSTERED (producer, boot, minute_ms)
);

GO
GRANT SELECT, INSERT, UPDATE, DELETE ON rs_integrity_minute TO rs_writer;
GRANT SELECT, INSERT, UPDATE, DELETE ON rs_stored_minute TO rs_writer;
GRANT SELECT ON rs_integrity_minute TO rs_reader;
GRANT SELECT ON rs_stored_minute TO rs_reader;
GRANT SELECT, INSERT, UPDATE, DELETE ON rs_var_action TO rs_writer;
GRANT SELECT, INSERT, UPDATE, DELETE ON rs_var_custom TO rs_writer;
GRANT SELECT, INSERT, UPDATE, DELETE ON rs_sq_call TO rs_writer;
GRANT SELECT, INSERT, UPDATE, DELETE ON rs_sq_failure TO rs_writer;
GRANT SELECT ON rs_var_action TO rs_reader;
GRANT SELECT ON rs_var_custom TO rs_reader;
GRANT SELECT ON rs_sq_call TO rs_reader;
GRANT SELECT ON rs_sq_failure TO rs_reader;
