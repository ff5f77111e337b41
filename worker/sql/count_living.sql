-- params: 3
-- How many records of a type we hold that are alive as far as we know. $1 org, $2 adapter, $3 type.
SELECT count(*), count(*) FILTER (WHERE state = 'unmatched'), count(*) FILTER (WHERE state = 'linked')
FROM sync.external_link
WHERE org_id = $1 AND adapter = $2 AND external_type = $3 AND state NOT IN ('merged_into', 'deleted')
