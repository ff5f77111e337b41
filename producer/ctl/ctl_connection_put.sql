-- A new connection, or the same with other settings: its generation moves, so that what works under the old ones is fenced.
-- $1 org, $2 adapter, $3 mode, $4 strategy, $5 types, $6 base url, $7 rate n, $8 rate s, $9 budget key (null: as it was),
-- $10 state, $11 strategies of fields, $12 deletes there, $13 pushes first links -> generation
-- params: 13
WITH put AS (
INSERT INTO sync.connection AS c (org_id, adapter, mode, strategy, types, base_url, rate_n, rate_s, budget_key, state,
    field_strategies, delete_there, push_first_link)
VALUES ($1, $2, $3, $4, $5, $6, $7::int, $8::int, $9, $10, $11, $12, $13)
ON CONFLICT (org_id, adapter) DO UPDATE
SET mode = excluded.mode, strategy = excluded.strategy, types = excluded.types, base_url = excluded.base_url,
    rate_n = excluded.rate_n, rate_s = excluded.rate_s, budget_key = coalesce(excluded.budget_key, c.budget_key),
    field_strategies = excluded.field_strategies, delete_there = excluded.delete_there, push_first_link = excluded.push_first_link,
    reason = CASE WHEN excluded.state = 'connected' THEN NULL ELSE c.reason END,
    probe_at = CASE WHEN excluded.state = 'connected' THEN NULL ELSE c.probe_at END,
    failures = CASE WHEN excluded.state = 'connected' THEN 0 ELSE c.failures END,
    state_since = CASE WHEN excluded.state = c.state THEN c.state_since ELSE now() END,
    state = excluded.state, generation = c.generation + 1, updated_at = now()
RETURNING c.generation
), scheduled AS (
    UPDATE sync.schedule s SET generation = p.generation, -- polls go on at once
        due_at = CASE WHEN $10 = 'connected' AND (s.kind LIKE 'poll%' OR s.wanted > s.done) AND s.kind <> 'work' THEN now() ELSE s.due_at END
    FROM put p WHERE s.org_id = $1 AND s.adapter = $2
)
SELECT generation FROM put;
