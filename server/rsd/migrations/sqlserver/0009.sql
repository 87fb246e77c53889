-- fields of events that this version does not know
ALTER TABLE rs_call_event ADD extra nvarchar(max) COLLATE Latin1_General_100_BIN2;
