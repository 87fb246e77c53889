-- The same dead letter again is one row (spec rs.md §2.8); a retry names its letter itself.

ALTER TABLE rs_dead_letter ADD COLUMN letter_key BLOB;
CREATE INDEX rs_dead_letter_key ON rs_dead_letter (letter_key) WHERE letter_key IS NOT NULL;
DROP INDEX rs_dead_letter_seq;
