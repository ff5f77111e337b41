-- Questions that a link, a push or an unlink has answered. $1 org, $2 adapter, $3 type, $4 external id, $5 entity, $6 state, $7 who
-- params: 7
UPDATE sync.review SET state = $6, decided_at = now(), decided_by = $7
WHERE org_id = $1 AND adapter = $2 AND state = 'open' AND kind IN ('match', 'unlinked')
  AND ((external_type = $3 AND external_id = $4) OR (kind = 'unlinked' AND entity_id = $5));
