-- params: 7
-- Value records find their person; without the person's or the definition's link they wait. $1 org, $2 adapter, $3 type, $4 ids,
-- $5 mode,
-- $6 key of the relation to the person, $7 to the definition.
WITH x AS (
    SELECT l.id, l.external_id, p.entity_id AS person, p.state AS pstate, d.state AS dstate,
        b.staged -> '_rel' ->> $6 AS pref, b.staged -> '_rel' ->> $7 AS dref
    FROM unnest($4::text[]) i (ext)
    JOIN sync.external_link l ON l.org_id = $1 AND l.adapter = $2 AND l.external_type = $3 AND l.external_id = i.ext
        AND l.state IN ('unmatched', 'linked')
    JOIN sync.base b ON b.org_id = $1 AND b.link_id = l.id AND b.staged IS NOT NULL
    LEFT JOIN sync.external_link p ON p.org_id = $1 AND p.adapter = $2
        AND p.external_type = split_part(b.staged -> '_rel' ->> $6, '/', 1)
        AND p.external_id = split_part(b.staged -> '_rel' ->> $6, '/', 2)
    LEFT JOIN sync.external_link d ON d.org_id = $1 AND d.adapter = $2
        AND d.external_type = split_part(b.staged -> '_rel' ->> $7, '/', 1)
        AND d.external_id = split_part(b.staged -> '_rel' ->> $7, '/', 2)
), w AS (
    INSERT INTO sync.work AS w (org_id, adapter, direction, record_type, record_id, state, reason, waits_for, due_at)
    SELECT $1, $2, 'in', $3, x.external_id,
        CASE WHEN x.pstate = 'ambiguous' OR ($5 = 'o' AND (x.pstate = 'unmatched' OR x.dstate = 'unmatched'))
            THEN 'parked' ELSE 'waiting' END,
        'value', CASE WHEN x.pstate IS DISTINCT FROM 'linked' THEN x.pref ELSE x.dref END, now() + interval '10 minutes'
    FROM x WHERE (x.pstate IS DISTINCT FROM 'linked' OR x.dstate IS DISTINCT FROM 'linked')
        AND coalesce(x.pstate, '') NOT IN ('deleted', 'merged_into') AND coalesce(x.dstate, '') NOT IN ('deleted', 'merged_into')
        AND NOT ($5 = 'o' AND x.pstate = 'unmatched')
    ON CONFLICT (org_id, adapter, direction, record_type, record_id) DO UPDATE SET gen = w.gen + 1,
        waits_for = excluded.waits_for
)
UPDATE sync.external_link l SET state = 'linked', entity_type = 'person', entity_id = x.person, rev = l.rev + 1
FROM x WHERE l.org_id = $1 AND l.adapter = $2 AND l.external_type = $3 AND l.external_id = x.external_id
    AND x.pstate = 'linked' AND x.dstate = 'linked' AND l.entity_id IS DISTINCT FROM x.person
