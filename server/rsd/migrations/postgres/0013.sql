-- the newest start of its component that told of a call (producer.boot; none of RM's calls, which
-- outlive a start): calls that a newer start does not know are closed (spec rs.md §4.9)
ALTER TABLE rs_call ADD COLUMN boot bigint;
