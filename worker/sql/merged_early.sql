-- params: 5
-- Somebody who is linked was merged into a record that is not linked yet, but will be: nothing says so, or it is about to be created.
-- $1 org, $2 adapter, $3 type, $4 kept id, $5 removed id. Gives a row then.
SELECT 1 FROM sync.external_link l WHERE l.org_id = $1 AND l.adapter = $2 AND l.external_type = $3 AND l.external_id = $5
    AND l.state = 'linked' AND l.entity_id IS NOT NULL
    AND NOT EXISTS (SELECT FROM sync.external_link k WHERE k.org_id = $1 AND k.adapter = $2 AND k.external_type = $3
        AND k.external_id = $4 AND k.state <> 'unmatched')
