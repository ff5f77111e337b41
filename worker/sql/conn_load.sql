-- params: 2
-- A connection as the worker needs it. $1 org, $2 adapter. Gives mode, strategy, base_url, types (comma), rate_n, rate_s,
-- generation, state, reason, connections of the org, token version, life of the access token in ms, strategies of fields, deletes
-- there, pushes first links, their clock minus ours in ms.
SELECT c.mode, c.strategy, c.base_url, array_to_string(c.types, ','), c.rate_n, c.rate_s, c.generation, c.state, c.reason,
       (SELECT count(*) FROM sync.connection o WHERE o.org_id = c.org_id AND o.state <> 'disconnected'),
       t.version, (extract(epoch FROM t.expires_at - t.updated_at) * 1000)::bigint,
       nullif(c.field_strategies, '{}'), c.delete_there, c.push_first_link, c.clock_offset_ms
FROM sync.connection c LEFT JOIN sync.token t ON t.org_id = c.org_id AND t.adapter = c.adapter
WHERE c.org_id = $1 AND c.adapter = $2
