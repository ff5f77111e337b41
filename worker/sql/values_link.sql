-- params: 7
-- Value records find their person; without the person's or the definition's link they wait. $1 org, $2 adapter, $3 type, $4 ids,
-- $5 mode, $6 key of the relation to the person, $7 to the definition.
WITH l AS MATERIALIZED (
    SELECT id, external_id FROM sync.external_link WHERE org_id = $1 AND adapter = $2 AND external_type = $3
        AND external_id = ANY ($4::text[]) AND state IN ('unmatched', 'linked')
), v AS MATERIALIZED (
    SELECT l.external_id, b.staged -> '_rel' ->> $6 AS pref, b.staged -> '_rel' ->> $7 AS dref
    FROM l JOIN sync.base b ON b.org_id = $1 AND b.link_id = ANY (ARRAY(SELECT id FROM l)) AND b.link_id = l.id
    WHERE b.staged IS NOT NULL
), t AS MATERIALIZED (
    SELECT t.external_type || '/' || t.external_id AS ref, t.entity_id, t.state FROM sync.external_link t
    WHERE t.org_id = $1 AND t.adapter = $2
        AND t.external_type = ANY (ARRAY(SELECT split_part(pref, '/', 1) FROM v UNION SELECT split_part(dref, '/', 1) FROM v))
        AND t.external_id = ANY (ARRAY(SELECT split_part(pref, '/', 2) FROM v UNION SELECT split_part(dref, '/', 2) FROM v))
), x AS MATERIALIZED (
    SELECT v.external_id, v.pref, v.dref, p.entity_id AS person, p.state AS pstate, d.state AS dstate
    FROM v LEFT JOIN t p ON p.ref = v.pref LEFT JOIN t d ON d.ref = v.dref
), w AS (
    INSERT INTO sync.work AS w (org_id, adapter, direction, record_type, record_id, state, reason, waits_for, due_at)
    SELECT $1, $2, 'in', $3, x.external_id,
        CASE WHEN x.pstate = 'ambiguous' OR ($5 = 'o' AND (x.pstate = 'unmatched' OR x.dstate = 'unmatched'))
            THEN 'parked' ELSE 'waiting' END,
        'value', CASE WHEN x.pstate IS DISTINCT FROM 'linked' THEN x.pref ELSE x.dref END, now() + interval '10 minutes'
    FROM x WHERE (x.pstate IS DISTINCT FROM 'linked' OR x.dstate IS DISTINCT FROM 'linked')
        AND coalesce(x.pstate, '') NOT IN ('deleted', 'merged_into') AND coalesce(x.dstate, '') NOT IN ('deleted', 'merged_into')
        AND NOT ($5 = 'o' AND coalesce(x.pstate, '') = 'unmatched')
    ON CONFLICT (org_id, adapter, direction, record_type, record_id) DO UPDATE SET gen = w.gen + 1,
        waits_for = excluded.waits_for
)
UPDATE sync.external_link l SET state = 'linked', entity_type = 'person', entity_id = x.person, rev = l.rev + 1
FROM x WHERE l.org_id = $1 AND l.adapter = $2 AND l.external_type = $3 AND l.external_id = ANY ($4)
    AND l.external_id = x.external_id
    AND x.pstate = 'linked' AND x.dstate = 'linked' AND l.entity_id IS DISTINCT FROM x.person
