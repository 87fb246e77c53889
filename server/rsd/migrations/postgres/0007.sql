-- Erasures (spec rs.md §8): numbers by their hashes, with how far each has come; and the audit log
-- is append only for writers: what is over goes by a function of the owner's.

CREATE TABLE rs_erasure (
  no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  digits smallint NOT NULL,
  hash uuid NOT NULL,
  requested_ms bigint NOT NULL,
  ended_ms bigint,
  calls bigint NOT NULL DEFAULT 0,
  rows bigint NOT NULL DEFAULT 0,
  day integer NOT NULL DEFAULT 0,
  stage integer NOT NULL DEFAULT 0,
  after bytea NOT NULL DEFAULT '',
  changed bigint NOT NULL DEFAULT 0
);

-- Writes a table, or the partition of a day, anew, so that it has no dead rows, and makes its
-- statistics again, which have samples of its values. False: somebody who began to read before
-- that transaction may still see what is dead, so that it would be kept.
CREATE FUNCTION rs_write_anew(name text, day integer, since bigint) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET lock_timeout = '200ms' AS $$
DECLARE
  part text := name;
  key text;
  first xid := (since % 4294967296)::text::xid;
BEGIN
  IF name NOT LIKE 'rs\_%' THEN
    RAISE EXCEPTION 'no table of ours: %', name;
  END IF;
  IF EXISTS (
    SELECT FROM pg_stat_activity a
    WHERE a.pid <> pg_backend_pid() AND a.backend_xmin IS NOT NULL
      AND (a.datname = current_database() OR a.datname IS NULL)
      AND age(a.backend_xmin) > age(first))
    OR EXISTS (SELECT FROM pg_replication_slots s WHERE age(s.xmin) > age(first))
    OR EXISTS (SELECT FROM pg_prepared_xacts p WHERE age(p.transaction) > age(first))
  THEN
    RETURN false;
  END IF;
  IF day <> 0 THEN
    part := name || '_' || day;
    IF NOT EXISTS (
      SELECT FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
      WHERE i.inhparent = to_regclass(quote_ident(name)) AND c.relname = part)
    THEN
      part := name || '_other';
    END IF;
  END IF;
  SELECT c.relname INTO key FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
    WHERE i.indrelid = to_regclass(quote_ident(part)) AND i.indisprimary;
  EXECUTE format('CLUSTER %I USING %I', part, key);
  EXECUTE format('ANALYZE %I', part);
  -- of all partitions together somebody else made them
  IF part <> name AND EXISTS (
    SELECT FROM pg_stats s WHERE s.schemaname = current_schema() AND s.tablename = name)
  THEN
    EXECUTE format('ANALYZE %I', name);
  END IF;
  RETURN true;
END $$;

-- Lines of the audit log that are older than it is kept (400 days) go, by the server's own clock,
-- whatever it is asked for: how many went.
CREATE FUNCTION rs_trim_audit(before_ms bigint, most bigint) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
  kept_ms bigint := (extract(epoch FROM now()) * 1000)::bigint - 399::bigint * 86400000;
  gone bigint;
BEGIN
  DELETE FROM rs_audit_log WHERE no IN (
    SELECT l.no FROM rs_audit_log l WHERE l.time_ms < least(before_ms, kept_ms) LIMIT most);
  GET DIAGNOSTICS gone = ROW_COUNT;
  RETURN gone;
END $$;

-- A Reporting Server: all rows, no table. What operators did is never changed.
CREATE OR REPLACE FUNCTION rs_grant_writer(account text) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  home text := current_schema();
  own text;
BEGIN
  EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', home, account);
  FOR own IN SELECT c.relname FROM pg_class c
    WHERE c.relnamespace = home::regnamespace AND c.relkind IN ('r', 'p', 'v')
      AND c.relname ~ '^(rs|v)_' AND NOT c.relispartition
  LOOP
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO %I', own, account);
  END LOOP;
  EXECUTE format('REVOKE INSERT, UPDATE, DELETE ON rs_schema_version FROM %I', account);
  EXECUTE format('REVOKE UPDATE, DELETE ON rs_audit_log FROM %I', account);
  FOR own IN SELECT p.oid::regprocedure::text FROM pg_proc p
    WHERE p.pronamespace = home::regnamespace AND p.proname ~ '^rs_' AND p.prosecdef
  LOOP
    EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %I', own, account);
  END LOOP;
  EXECUTE format('ALTER DEFAULT PRIVILEGES IN SCHEMA %I
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO %I', home, account);
  EXECUTE format('ALTER DEFAULT PRIVILEGES IN SCHEMA %I
    GRANT EXECUTE ON FUNCTIONS TO %I', home, account);
END $$;

-- Whoever reads with SQL: all but whole messages, what operators did, who asked to be forgotten,
-- and notes.
CREATE OR REPLACE FUNCTION rs_grant_reader(account text) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  home text := current_schema();
  own text;
BEGIN
  EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', home, account);
  FOR own IN SELECT c.relname FROM pg_class c
    WHERE c.relnamespace = home::regnamespace AND c.relkind IN ('r', 'p', 'v')
      AND c.relname ~ '^(rs|v)_' AND NOT c.relispartition
  LOOP
    EXECUTE format('GRANT SELECT ON %I TO %I', own, account);
  END LOOP;
  EXECUTE format('REVOKE ALL ON rs_dead_letter, rs_audit_log, rs_erasure, rs_meta FROM %I',
    account);
  EXECUTE format('ALTER DEFAULT PRIVILEGES IN SCHEMA %I
    GRANT SELECT ON TABLES TO %I', home, account);
END $$;

REVOKE EXECUTE ON FUNCTION rs_write_anew(text, integer, bigint) FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION rs_trim_audit(bigint, bigint) FROM PUBLIC;

-- Accounts that are there: readers got the new table by default privileges, writers have the right
-- to delete lines of the audit log.
DO $$
DECLARE
  account name;
BEGIN
  FOR account IN SELECT DISTINCT r.rolname FROM pg_class c, aclexplode(c.relacl) a, pg_roles r
    WHERE c.oid = 'rs_audit_log'::regclass AND a.privilege_type = 'DELETE' AND r.oid = a.grantee
      AND r.oid <> c.relowner
  LOOP
    EXECUTE format('REVOKE DELETE ON rs_audit_log FROM %I', account);
  END LOOP;
  FOR account IN SELECT r.rolname FROM pg_class c, aclexplode(c.relacl) a, pg_roles r
    WHERE c.oid = 'rs_erasure'::regclass AND r.oid = a.grantee AND r.oid <> c.relowner
    GROUP BY r.rolname HAVING bool_and(a.privilege_type <> 'INSERT')
  LOOP
    EXECUTE format('REVOKE ALL ON rs_erasure FROM %I', account);
  END LOOP;
END $$;
