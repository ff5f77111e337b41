-- params: 3
-- Nothing is missing any more: the question is void. $1 org, $2 adapter, $3 type.
WITH r AS (
    UPDATE sync.review SET state = 'obsolete', decided_at = now()
    WHERE org_id = $1 AND adapter = $2 AND kind = 'delete' AND external_type = $3 AND external_id = '' AND state = 'open'
    RETURNING 1
)
UPDATE sync.status SET error = NULL, updated_at = now() WHERE org_id = $1 AND adapter = $2 AND external_type = $3
    AND state = 'active' AND error IS NOT NULL AND EXISTS (SELECT FROM r)
