-- params: 6
-- So many are missing that a person is asked, once per type; status says so. $1 org, $2 adapter, $3 type, $4 missing, $5 of,
-- $6 words.
WITH r AS (
    INSERT INTO sync.review (org_id, adapter, kind, external_type, external_id, detail)
    VALUES ($1, $2, 'delete', $3, '', jsonb_build_object('missing', $4::bigint, 'of', $5::bigint))
    ON CONFLICT (org_id, adapter, kind, external_type, external_id, field) WHERE state = 'open'
        DO UPDATE SET detail = excluded.detail
)
UPDATE sync.status SET error = $6, updated_at = now() WHERE org_id = $1 AND adapter = $2 AND external_type = $3
    AND error IS DISTINCT FROM $6
