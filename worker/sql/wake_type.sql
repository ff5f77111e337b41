-- params: 4
-- All records of a type are there now: what waited for one of them is looked at again, and what is parked until one of them is linked,
-- if it is by now. $1 org, $2 adapter, $3 type, $4 entity tag.
UPDATE sync.work SET state = 'ready', due_at = now(), waits_for = NULL
WHERE org_id = $1 AND adapter = $2 AND split_part(waits_for, '/', 1) IN ($3, 'out:' || $4)
    AND (state = 'waiting' OR (state = 'parked' AND CASE WHEN starts_with(waits_for, 'out:')
        THEN (SELECT l.state FROM (SELECT * FROM sync.external_link l WHERE l.entity_id = split_part(waits_for, '/', 2) AND l.org_id = $1
            AND l.kind = 'entity' AND l.state = 'linked' OFFSET 0) l WHERE l.adapter = $2 AND l.external_type = $3 LIMIT 1)
        ELSE (SELECT l.state FROM sync.external_link l WHERE l.org_id = $1 AND l.adapter = $2 AND l.external_type = $3
            AND l.external_id = split_part(waits_for, '/', 2) LIMIT 1) END = 'linked'))
