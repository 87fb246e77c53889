-- Accounts beside the owner's (spec rs.md §3.4): writers, which are Reporting Servers, and readers
-- of the SQL. Tables of later steps are theirs by default privileges.

-- A Reporting Server: all rows, no table. What operators did is never changed.
CREATE FUNCTION rs_grant_writer(account text) RETURNS void
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
  EXECUTE format('REVOKE UPDATE ON rs_audit_log FROM %I', account);
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

-- Whoever reads with SQL: all but whole messages, what operators did, and notes.
CREATE FUNCTION rs_grant_reader(account text) RETURNS void
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
  EXECUTE format('REVOKE ALL ON rs_dead_letter, rs_audit_log, rs_meta FROM %I', account);
  EXECUTE format('ALTER DEFAULT PRIVILEGES IN SCHEMA %I
    GRANT SELECT ON TABLES TO %I', home, account);
END $$;

-- What runs as the owner is for writers, and those that were there before stay what they were. Who
-- was given some views, or all for a backup, keeps just that: readers are made by name.
DO $$
DECLARE
  own text;
  account name;
BEGIN
  FOR own IN SELECT p.oid::regprocedure::text FROM pg_proc p
    WHERE p.pronamespace = current_schema()::regnamespace AND p.proname ~ '^rs_' AND p.prosecdef
  LOOP
    EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', own);
  END LOOP;
  FOR account IN SELECT DISTINCT r.rolname FROM pg_class c, aclexplode(c.relacl) a, pg_roles r
    WHERE c.oid = 'rs_call'::regclass AND a.privilege_type = 'INSERT' AND r.oid = a.grantee
      AND r.oid <> c.relowner
  LOOP
    PERFORM rs_grant_writer(account);
  END LOOP;
END $$;
