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
-- -1: a call of the day is in progress or ended after last_ms, and came after this was decided.
CREATE FUNCTION rs_drop_day(day integer, tables text[], last_ms bigint) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET lock_timeout = '200ms' AS $$
DECLARE
  parent text;
  gone integer := 0;
BEGIN
  PERFORM pg_advisory_xact_lock(7237405, 1);
  IF last_ms IS NOT NULL THEN
    IF EXISTS (
      SELECT FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
      WHERE i.inhparent = to_regclass('rs_call') AND c.relname = 'rs_call_' || $1)
    THEN
      EXECUTE format('LOCK TABLE %I IN ACCESS EXCLUSIVE MODE', 'rs_call_' || $1);
    END IF;
    IF EXISTS (SELECT FROM rs_call c WHERE c.day = $1 AND (c.live OR c.ended_ms > $3)) THEN
      RETURN -1;
    END IF;
  END IF;
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

REVOKE EXECUTE ON FUNCTION rs_drop_day(integer, text[], bigint) FROM PUBLIC;
