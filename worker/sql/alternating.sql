-- params: 2
-- Fields that went from one value to another, and back, again and again within a day. $1 org, $2 entity ids.
-- Gives entity id, [{"field","a","b"}] of pairs that this system has decided between at least twice,
-- since a person last did.
SELECT p.entity_id, jsonb_agg(jsonb_build_object('field', p.field, 'a', p.a, 'b', p.b))
FROM (
    SELECT j.entity_id, j.field, least(j.old::text, j.new::text)::jsonb AS a, greatest(j.old::text, j.new::text)::jsonb AS b
    FROM unnest($2::text[]) AS i (eid)
    CROSS JOIN LATERAL (SELECT * FROM sync.journal j WHERE j.org_id = $1 AND j.entity_id = i.eid AND j.at > now() - interval '1 day'
        AND j.field IS NOT NULL AND j.rule NOT LIKE 'sent%' AND j.rule NOT IN ('both say the same', 'created there')
        AND j.rule NOT LIKE 'review%' AND j.rule NOT LIKE 'frozen%'
        AND j.rule NOT LIKE 'first link%'
        AND NOT EXISTS (SELECT FROM sync.journal v WHERE v.org_id = $1 AND v.entity_id = i.eid AND v.at > now() - interval '1 day'
            AND v.at >= j.at AND v.field = j.field AND v.rule LIKE 'review%') OFFSET 0) j
    GROUP BY 1, 2, 3, 4
    HAVING count(*) >= 2
) p
GROUP BY p.entity_id
