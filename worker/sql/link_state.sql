-- params: 4
-- $1 org, $2 adapter, $3 type, $4 id. Gives the link's state, whether something that was read of it has not been applied, and whether
-- something is to be done for it.
SELECT l.state, EXISTS (SELECT FROM sync.base b WHERE b.org_id = $1 AND b.link_id = l.id AND b.staged IS NOT NULL),
    EXISTS (SELECT FROM sync.work w WHERE w.org_id = $1 AND w.adapter = $2 AND w.direction = 'in' AND w.record_type = $3
        AND w.record_id = $4 AND w.state IN ('ready', 'leased', 'waiting'))
FROM sync.external_link l WHERE l.org_id = $1 AND l.adapter = $2 AND l.external_type = $3 AND l.external_id = $4
