-- CDRs in the order in which they were written, whichever daemon wrote them: what traffic is measured by.

-- Rows of one commit have one recorded_at, which is when its transaction began: a newer row may be seen before an
-- older one.  On a table that is large already this takes its time, and settlements wait in the journal meanwhile.
CREATE INDEX cdrs_by_recorded_at ON cdrs (recorded_at);
