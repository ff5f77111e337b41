-- params: 4
-- $1 org, $2 adapter, $3 type, $4 id. Gives the link's state, and whether something that was read of it has not been applied.
SELECT l.state, EXISTS (SELECT FROM sync.base b WHERE b.org_id = $1 AND b.link_id = l.id AND b.staged IS NOT NULL)
FROM sync.external_link l WHERE l.org_id = $1 AND l.adapter = $2 AND l.external_type = $3 AND l.external_id = $4
