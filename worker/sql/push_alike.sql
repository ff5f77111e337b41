-- params: 6
-- Records there any of which may be the one that was made of ours: a question for each, and nothing becomes of it before that is
-- answered. $1 org, $2 adapter, $3 type, $4 entity tag, $5 entity id, $6 ids.
WITH l AS (
    INSERT INTO sync.external_link AS l (org_id, adapter, external_type, external_id, kind, state)
    SELECT $1, $2, $3, x.ext, 'entity', 'ambiguous' FROM unnest($6::text[]) AS x (ext)
    ON CONFLICT (org_id, adapter, external_type, external_id) DO UPDATE SET state = 'ambiguous', rev = l.rev + 1
        WHERE l.entity_id IS NULL AND l.state IN ('unmatched', 'ambiguous')
    RETURNING l.external_id, l.rev
), v AS (
    INSERT INTO sync.review (org_id, adapter, kind, external_type, external_id, entity_type, entity_id, detail, link_rev)
    SELECT $1, $2, 'match', $3, l.external_id, $4, $5, '{"why": "several records there may be the one that was made of ours"}', l.rev
    FROM l
    ON CONFLICT (org_id, adapter, kind, external_type, external_id, field) WHERE state = 'open' DO UPDATE
        SET link_rev = excluded.link_rev, entity_type = excluded.entity_type, entity_id = excluded.entity_id, detail = excluded.detail
    RETURNING id
)
INSERT INTO sync.review_candidate (review_id, entity_id, score, reasons)
SELECT v.id, $5, 100, '{"made of it"}' FROM v
ON CONFLICT (review_id, entity_id) DO UPDATE SET score = excluded.score, reasons = excluded.reasons
