-- params: 7
-- One of a parent's children was told to be the one ($7: primary); theirs takes that from whichever was, and no time of theirs says so.
-- Gives the ids of those. $1 org, $2 adapter, $3 parent's type, $4 parent's id, $5 type, $6 id of the one, $7 field.
SELECT s.id
FROM sync.external_link p
CROSS JOIN LATERAL (SELECT b.seen FROM sync.base b WHERE b.org_id = $1 AND b.link_id = p.id LIMIT 1) pb
CROSS JOIN LATERAL jsonb_array_elements_text(coalesce(pb.seen -> '_sub' -> $5, '[]')) s (id)
CROSS JOIN LATERAL (SELECT l.id FROM sync.external_link l WHERE l.org_id = $1 AND l.adapter = $2 AND l.external_type = $5
    AND l.external_id = s.id AND l.state = 'linked' LIMIT 1) l
CROSS JOIN LATERAL (SELECT FROM sync.base b WHERE b.org_id = $1 AND b.link_id = l.id AND b.seen ->> $7 = 'true' LIMIT 1) b
WHERE p.org_id = $1 AND p.adapter = $2 AND p.external_type = $3 AND p.external_id = $4 AND s.id <> $6
