-- params: 2
-- Says in the log, before they come, that the rows of these records are written by us: the change reader tells nobody but other
-- systems of the organization. $1 adapter, $2 ids of entities (all edges of theirs are meant too).
SELECT pg_logical_emit_message(true, 'openfaith-sync', $1 || E'\n' || array_to_string($2::text[], E'\n'))
