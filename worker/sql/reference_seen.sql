-- params: 4
-- Reference records read again. $1 org, $2 adapter, $3 type, $4 ids.
UPDATE sync.base b SET seen = b.staged, staged = NULL
WHERE b.org_id = $1 AND b.staged IS NOT NULL AND b.link_id = ANY (ARRAY(SELECT l.id FROM sync.external_link l
    WHERE l.org_id = $1 AND l.adapter = $2 AND l.external_type = $3 AND l.external_id = ANY ($4) AND l.state = 'linked'))
