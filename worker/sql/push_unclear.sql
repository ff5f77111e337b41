-- params: 3
-- A change was sent and nobody knows whether it was taken: should theirs say just this from now on, it is ours (merge.c).
-- $1 org, $2 link, $3 fields sent.
-- What an earlier one sent that nobody answered either stays beside it.
UPDATE sync.base b SET agreed = coalesce(b.agreed, '{}') || jsonb_build_object('_sent', s.was || $3::jsonb
    || CASE WHEN s.was ? '_rel' OR $3::jsonb ? '_rel'
        THEN jsonb_build_object('_rel', coalesce(s.was -> '_rel', '{}') || coalesce($3::jsonb -> '_rel', '{}')) ELSE '{}' END
    || CASE WHEN s.was ? '_clear' THEN jsonb_build_object('_clear', coalesce((SELECT jsonb_agg(c) FROM jsonb_array_elements(
        s.was -> '_clear') c WHERE NOT coalesce($3::jsonb -> 'customFields', '[]') @> jsonb_build_array(jsonb_build_object('name', c))
        AND NOT coalesce($3::jsonb -> '_clear', '[]') @> jsonb_build_array(c)), '[]') || coalesce($3::jsonb -> '_clear', '[]')) ELSE '{}' END
    || CASE WHEN s.was ? 'customFields' THEN jsonb_build_object('customFields', coalesce((SELECT jsonb_agg(e)
        FROM jsonb_array_elements(s.was -> 'customFields') e WHERE NOT coalesce($3::jsonb -> '_clear', '[]') ? (e ->> 'name') AND NOT coalesce($3::jsonb -> 'customFields', '[]') @> jsonb_build_array(
        jsonb_build_object('name', e -> 'name'))), '[]') || coalesce($3::jsonb -> 'customFields', '[]')) ELSE '{}' END)
FROM (SELECT coalesce(agreed -> '_sent', '{}') AS was FROM sync.base WHERE org_id = $1 AND link_id = $2) s
WHERE b.org_id = $1 AND b.link_id = $2
