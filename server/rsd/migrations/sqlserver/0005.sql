-- The same dead letter again is one row (spec rs.md §2.8); a retry names its letter itself.

ALTER TABLE rs_dead_letter ADD letter_key binary(16);

GO
CREATE INDEX rs_dead_letter_key ON rs_dead_letter (letter_key);
