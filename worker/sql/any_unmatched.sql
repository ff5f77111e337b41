-- params: 4
-- Has any of these records no entity yet? $1 org, $2 adapter, $3 type, $4 ids.
SELECT 1 FROM unnest($4::text[]) AS i (ext)
    CROSS JOIN LATERAL (SELECT l.state FROM sync.external_link l WHERE l.org_id = $1 AND l.adapter = $2 AND l.external_type = $3
        AND l.external_id = i.ext LIMIT 1) l
WHERE l.state = 'unmatched' LIMIT 1
