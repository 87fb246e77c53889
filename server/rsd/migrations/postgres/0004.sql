-- Retention: who holds which job, days of tenants and profiles, and how a day goes (spec rs.md
-- §3.2, §4.10, §10).

CREATE TABLE rs_lease (
  name text COLLATE "C" PRIMARY KEY,
  holder text COLLATE "C" NOT NULL,
  fence bigint NOT NULL,
  until_ms bigint NOT NULL
);

-- scope: 0 tenant, 1 profile; days, null = what stands above
CREATE TABLE rs_retention_override (
  scope smallint NOT NULL,
  id bigint NOT NULL,
  cdr integer,
  events integer,
  var integer,
  set_ms bigint NOT NULL,
  PRIMARY KEY (scope, id)
);

-- The partitions of a day go, of the owner, so that the writer needs no right to drop: how many
-- went. Who waits longer than 200 ms for a question to end tries again later.
CREATE FUNCTION rs_drop_day(day integer, tables text[]) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET lock_timeout = '200ms' AS $$
DECLARE
  parent text;
  gone integer := 0;
BEGIN
  PERFORM pg_advisory_xact_lock(7237405, 1);
  FOREACH parent IN ARRAY tables
  LOOP
    IF parent LIKE 'rs\_%' AND EXISTS (
      SELECT FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
      WHERE i.inhparent = to_regclass(quote_ident(parent)) AND c.relname = parent || '_' || day)
    THEN
      EXECUTE format('DROP TABLE %I', parent || '_' || day);
      gone := gone + 1;
    END IF;
  END LOOP;
  RETURN gone;
END $$;

REVOKE EXECUTE ON FUNCTION rs_drop_day(integer, text[]) FROM PUBLIC;
