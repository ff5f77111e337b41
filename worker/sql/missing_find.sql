-- params: 6
-- Living records of a type that a whole list did not show. $1 org, $2 adapter, $3 type, $4 by what it showed ($5 ids), else by mark
-- ($6). Gives id; the last row, without id, says how many are alive as far as we know.
WITH shown AS MATERIALIZED (SELECT unnest($5::text[]) AS ext)
SELECT l.external_id, NULL::bigint FROM sync.external_link l
WHERE l.org_id = $1 AND l.adapter = $2 AND l.external_type = $3 AND l.state NOT IN ('deleted', 'merged_into', 'unlinked')
    AND CASE WHEN $4 THEN l.external_id NOT IN (SELECT ext FROM shown) ELSE l.seen_run IS DISTINCT FROM $6 END
UNION ALL
SELECT NULL, count(*) FROM sync.external_link l
WHERE l.org_id = $1 AND l.adapter = $2 AND l.external_type = $3 AND l.state NOT IN ('deleted', 'merged_into', 'unlinked')
