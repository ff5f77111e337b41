-- params: 3
-- Is a person still to decide whether it is one of theirs? $1 org, $2 adapter, $3 entity.
SELECT 1 FROM sync.review_candidate k JOIN sync.review r ON r.id = k.review_id
WHERE k.entity_id = $3 AND r.org_id = $1 AND r.adapter = $2 AND r.state = 'open' LIMIT 1
