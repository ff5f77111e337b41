-- params: 4
-- Reference records read again. $1 org, $2 adapter, $3 type, $4 ids.
UPDATE sync.base b SET seen = b.staged, staged = NULL FROM sync.external_link l
WHERE l.org_id = $1 AND l.adapter = $2 AND l.external_type = $3 AND l.external_id = ANY ($4) AND l.state = 'linked'
    AND b.org_id = $1 AND b.link_id = l.id AND b.staged IS NOT NULL
