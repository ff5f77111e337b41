-- params: 5
-- Audit: these are alive. $1 org, $2 adapter, $3 type, $4 ids, $5 mark. Gives the ids that are not known here.
WITH x AS (SELECT unnest($4::text[]) AS ext),
u AS (
    UPDATE sync.external_link l SET seen_run = $5 FROM x
    WHERE l.org_id = $1 AND l.adapter = $2 AND l.external_type = $3 AND l.external_id = ANY ($4) AND l.external_id = x.ext
        AND l.seen_run IS DISTINCT FROM $5
)
SELECT x.ext FROM x LEFT JOIN (SELECT l.external_id FROM sync.external_link l
    WHERE l.org_id = $1 AND l.adapter = $2 AND l.external_type = $3 AND l.external_id = ANY ($4)
        AND l.state NOT IN ('deleted')) k ON k.external_id = x.ext
WHERE k.external_id IS NULL
