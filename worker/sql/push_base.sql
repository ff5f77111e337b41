-- params: 5
-- What both sides said with a push; what was listed before it is older. $1 org, $2 link, $3 seen, $4 agreed, $5 mapping version.
-- What an earlier push sent that nobody answered (_sent) stays until this answer is populated.
INSERT INTO sync.base AS b (org_id, link_id, seen, agreed, mapping_version)
SELECT $1, $2, $3, nullif(coalesce(nullif($4::jsonb - '_sent', $3::jsonb), '{}') || s.sent, '{}'), $5::int
FROM (SELECT coalesce((SELECT jsonb_build_object('_sent', o.agreed -> '_sent') FROM sync.base o
    WHERE o.org_id = $1 AND o.link_id = $2 AND o.agreed ? '_sent'), '{}') AS sent) s
ON CONFLICT (org_id, link_id) DO UPDATE SET seen = excluded.seen, agreed = excluded.agreed, staged = NULL,
    mapping_version = excluded.mapping_version
