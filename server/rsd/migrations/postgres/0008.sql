-- What runs as the owner finds nothing of its caller's, and who has written and is idle counts.

-- Writes a table, or the partition of a day, anew, so that it has no dead rows, and makes its
-- statistics again, which have samples of its values. False: somebody who began to read or to
-- write before that transaction may still see what is dead, so that it would be kept.
CREATE OR REPLACE FUNCTION rs_write_anew(name text, day integer, since bigint) RETURNS boolean
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
    WHERE a.pid <> pg_backend_pid()
      AND (a.datname = current_database() OR a.datname IS NULL)
      -- idle after a change it has an xid, and no xmin
      AND greatest(age(a.backend_xmin), age(a.backend_xid)) > age(first))
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

-- A temporary table of the caller's is found last, not first, by functions that run as the owner:
-- it might have a trigger. The catalog comes before all.
DO $$
DECLARE
  home text := current_schema();
  own regprocedure;
BEGIN
  FOR own IN SELECT p.oid FROM pg_proc p
    WHERE p.pronamespace = home::regnamespace AND p.proname ~ '^rs_' AND p.prosecdef
  LOOP
    EXECUTE format('ALTER FUNCTION %s SET search_path TO %I, pg_temp', own, home);
  END LOOP;
END $$;
