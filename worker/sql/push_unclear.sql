-- params: 3
-- A change was sent and nobody knows whether it was taken: should theirs say just this from now on, it is ours (merge.c).
-- $1 org, $2 link, $3 fields sent.
UPDATE sync.base SET agreed = coalesce(agreed, '{}') || jsonb_build_object('_sent', $3::jsonb) WHERE org_id = $1 AND link_id = $2
