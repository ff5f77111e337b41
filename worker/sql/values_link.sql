-- params: 7
-- Value records find their person; without the person's or the definition's link they wait. $1 org, $2 adapter, $3 type, $4 ids,
-- $5 mode, $6 key of the relation to the person, $7 to the definition.
WITH x AS MATERIALIZED (
    SELECT l.id, l.kind, l.external_id, l.entity_id, r.pref, r.dref, p.entity_id AS person, p.state AS pstate, d.state AS dstate
    FROM unnest($4::text[]) AS i (ext)
    CROSS JOIN LATERAL (SELECT * FROM sync.external_link l WHERE l.org_id = $1 AND l.adapter = $2 AND l.external_type = $3
        AND l.external_id = i.ext LIMIT 1) l
    CROSS JOIN LATERAL (SELECT * FROM sync.base b WHERE b.org_id = $1 AND b.link_id = l.id LIMIT 1) b
    CROSS JOIN LATERAL (SELECT b.staged -> '_rel' ->> $6 AS pref, b.staged -> '_rel' ->> $7 AS dref) r
    LEFT JOIN LATERAL (SELECT t.entity_id, t.state FROM sync.external_link t WHERE t.org_id = $1 AND t.adapter = $2
        AND t.external_type = split_part(r.pref, '/', 1) AND t.external_id = split_part(r.pref, '/', 2) LIMIT 1) p ON true
    LEFT JOIN LATERAL (SELECT t.entity_id, t.state FROM sync.external_link t WHERE t.org_id = $1 AND t.adapter = $2
        AND t.external_type = split_part(r.dref, '/', 1) AND t.external_id = split_part(r.dref, '/', 2) LIMIT 1) d ON true
    WHERE l.state IN ('unmatched', 'linked') AND b.staged IS NOT NULL
), w AS (
    INSERT INTO sync.work AS w (org_id, adapter, direction, record_type, record_id, state, reason, waits_for, due_at)
    SELECT $1, $2, 'in', $3, x.external_id,
        CASE WHEN x.pstate = 'ambiguous' OR ($5 = 'o' AND (x.pstate = 'unmatched' OR x.dstate = 'unmatched'))
            THEN 'parked' ELSE 'waiting' END,
        'value', CASE WHEN x.pstate IS DISTINCT FROM 'linked' THEN x.pref ELSE x.dref END, now()
        + coalesce(current_setting('openfaith.waiting_recheck_ms', true)::int, 600000) * interval '1 millisecond'
    FROM x WHERE (x.pstate IS DISTINCT FROM 'linked' OR x.dstate IS DISTINCT FROM 'linked')
        AND coalesce(x.pstate, '') NOT IN ('deleted', 'merged_into') AND coalesce(x.dstate, '') NOT IN ('deleted', 'merged_into')
        AND NOT ($5 = 'o' AND coalesce(x.pstate, '') = 'unmatched')
    ON CONFLICT (org_id, adapter, direction, record_type, record_id) DO UPDATE
    SET gen = w.gen + (w.waits_for IS DISTINCT FROM excluded.waits_for)::int, waits_for = excluded.waits_for
), moved AS ( -- to another person (a merger): for that one it is new
    INSERT INTO sync.base AS b (org_id, link_id)
    SELECT $1, x.id FROM x WHERE x.pstate = 'linked' AND x.dstate = 'linked' AND x.entity_id <> x.person
    ON CONFLICT (org_id, link_id) DO UPDATE SET seen = NULL, agreed = NULL
)
INSERT INTO sync.external_link AS l (org_id, adapter, external_type, external_id, id, kind, entity_id)
SELECT $1, $2, $3, x.external_id, x.id, x.kind, x.person FROM x WHERE x.pstate = 'linked' AND x.dstate = 'linked'
    AND x.entity_id IS DISTINCT FROM x.person
ON CONFLICT (org_id, adapter, external_type, external_id) DO UPDATE
    SET state = 'linked', entity_type = 'person', entity_id = excluded.entity_id, rev = l.rev + 1
    WHERE l.state IN ('unmatched', 'linked')
