-- All facts of this day are going, slice by slice, and none of its calls is shown any more: a start
-- after a kill in between must not list them again. One row at most; a late call takes it away.
CREATE TABLE rs_day_going (
  one INTEGER PRIMARY KEY CHECK (one = 1)
) STRICT;
