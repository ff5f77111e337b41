-- A connection, locked until the end of the transaction: whoever bumps its generation holds this.
-- $1 org, $2 adapter -> mode, strategy, types (comma), base url, rate n, rate s, state, generation, reason, every type active or failed,
-- strategies of fields, deletes there, pushes first links
-- params: 2
SELECT c.mode, c.strategy, array_to_string(c.types, ','), c.base_url, c.rate_n, c.rate_s, c.state, c.generation, c.reason,
       NOT EXISTS (SELECT FROM sync.status s
                   WHERE s.org_id = c.org_id AND s.adapter = c.adapter AND s.state NOT IN ('active', 'error')),
       c.field_strategies, c.delete_there, c.push_first_link
FROM sync.connection c
WHERE c.org_id = $1 AND c.adapter = $2
FOR UPDATE OF c;
