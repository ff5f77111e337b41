-- params: 7
-- What is not certain waits for a person. $1 org, $2 adapter, $3 type, $4 entity tag; a row per candidate: $5 ids, $6 candidates,
-- $7 "score reason,reason".
-- A candidate that a person rejected is none any more.
WITH x AS MATERIALIZED (SELECT * FROM unnest($5::text[], $6::text[], $7::text[]) AS x (ext, eid, why)
    WHERE NOT EXISTS (SELECT FROM sync.review r JOIN sync.review_candidate c ON c.review_id = r.id AND c.entity_id = x.eid
        WHERE r.org_id = $1 AND r.adapter = $2 AND r.external_type = $3 AND r.external_id = x.ext AND r.kind = 'match'
        AND r.state = 'rejected')),
k AS MATERIALIZED (
    SELECT l.* FROM (SELECT DISTINCT ext FROM x) i
    CROSS JOIN LATERAL (SELECT * FROM sync.external_link l WHERE l.org_id = $1 AND l.adapter = $2 AND l.external_type = $3
        AND l.external_id = i.ext LIMIT 1) l
), l AS (
    INSERT INTO sync.external_link AS l (org_id, adapter, external_type, external_id, id, kind)
    SELECT $1, $2, $3, k.external_id, k.id, k.kind FROM k
    ON CONFLICT (org_id, adapter, external_type, external_id) DO UPDATE SET state = 'ambiguous', rev = l.rev + 1
        WHERE l.state = 'unmatched'
    RETURNING l.external_id, l.rev
), v AS (
    INSERT INTO sync.review (org_id, adapter, kind, external_type, external_id, entity_type, link_rev)
    SELECT $1, $2, 'match', $3, l.external_id, $4, l.rev FROM l
    ON CONFLICT (org_id, adapter, kind, external_type, external_id, field) WHERE state = 'open'
        DO UPDATE SET link_rev = excluded.link_rev
    RETURNING id, external_id
)
INSERT INTO sync.review_candidate (review_id, entity_id, score, reasons)
SELECT v.id, x.eid, split_part(x.why, ' ', 1)::int, string_to_array(split_part(x.why, ' ', 2), ',')
FROM v JOIN x ON x.ext = v.external_id
ON CONFLICT (review_id, entity_id) DO UPDATE SET score = excluded.score, reasons = excluded.reasons
