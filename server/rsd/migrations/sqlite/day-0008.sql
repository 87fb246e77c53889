-- fields of events that this version does not know
ALTER TABLE rs_call_event ADD COLUMN extra TEXT;
