-- params: 6
-- Deletions. $1 org, $2 adapter, $3 type, $4 entity tag, $5 ids, $6 run.
INSERT INTO sync.journal (org_id, adapter, entity_type, entity_id, external_type, external_id, rule, run_id)
SELECT $1, $2, $4, l.entity_id, $3, l.external_id, 'gone there', $6 FROM unnest($5::text[]) AS i (ext)
    CROSS JOIN LATERAL (SELECT * FROM sync.external_link l WHERE l.org_id = $1 AND l.adapter = $2 AND l.external_type = $3
        AND l.external_id = i.ext LIMIT 1) l
WHERE l.state = 'deleted'
