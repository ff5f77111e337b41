-- params: 4
-- How many of a type went missing within a day (suspected or deleted), of how many (counted only where more than $4 are missing, else
-- 0). $1 org, $2 adapter, $3 type.
SELECT m.n, CASE WHEN m.n > $4 THEN (SELECT count(*) FROM sync.external_link l WHERE l.org_id = $1 AND l.adapter = $2
        AND l.external_type = $3 AND (l.state NOT IN ('deleted', 'merged_into', 'unlinked') OR l.missing_since > now() - interval '1 day'))
    ELSE 0 END
FROM (SELECT count(*) AS n FROM sync.external_link l WHERE l.org_id = $1 AND l.adapter = $2 AND l.external_type = $3
    AND l.missing_since > now() - interval '1 day' AND l.state <> 'merged_into') m
