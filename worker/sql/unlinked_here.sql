-- params: 3
-- Mode openfaith: how many of theirs have no partner here. $1 org, $2 adapter, $3 type.
UPDATE sync.status s SET unlinked = (SELECT count(*) FROM sync.external_link l WHERE l.org_id = $1 AND l.adapter = $2
    AND l.external_type = $3 AND l.state = 'unmatched')
WHERE s.org_id = $1 AND s.adapter = $2 AND s.external_type = $3
