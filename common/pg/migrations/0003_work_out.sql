-- The way out has an index of its own: it is looked at after every change, also when a hundred thousand rows of the way in are due,
-- and in the order in which they are due when as many of its own are.
CREATE INDEX work_due_out ON sync.work (org_id, adapter, due_at) WHERE direction = 'out' AND state IN ('ready', 'leased', 'waiting');
