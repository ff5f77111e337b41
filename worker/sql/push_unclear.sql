-- params: 3
-- A change was sent and nobody knows whether it was taken: should theirs say just this from now on, it is ours (merge.c).
-- $1 org, $2 link, $3 fields sent. What an earlier one sent that nobody answered either stays beside it: fields and relations by their
-- names; of a custom field, set or cleared, the last word.
WITH s AS (
    SELECT coalesce(agreed -> '_sent', '{}') AS was, $3::jsonb AS now FROM sync.base WHERE org_id = $1 AND link_id = $2
), named AS (
    SELECT e ->> 'name' AS name FROM s, jsonb_array_elements(s.now -> 'customFields') e
    UNION
    SELECT c FROM s, jsonb_array_elements_text(s.now -> '_clear') c
)
UPDATE sync.base b SET agreed = coalesce(b.agreed, '{}') || jsonb_build_object('_sent', s.was || s.now || jsonb_build_object(
    '_rel', coalesce(s.was -> '_rel', '{}') || coalesce(s.now -> '_rel', '{}'),
    'customFields', coalesce((SELECT jsonb_agg(e) FROM jsonb_array_elements(s.was -> 'customFields') e
        WHERE e ->> 'name' NOT IN (SELECT name FROM named)), '[]') || coalesce(s.now -> 'customFields', '[]'),
    '_clear', coalesce((SELECT jsonb_agg(c) FROM jsonb_array_elements_text(s.was -> '_clear') c
        WHERE c NOT IN (SELECT name FROM named)), '[]') || coalesce(s.now -> '_clear', '[]')))
FROM s WHERE b.org_id = $1 AND b.link_id = $2
