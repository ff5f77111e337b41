-- Undoes a link: it stays as a tombstone, so that neither side's record is matched or made again; what lives with it likewise.
-- $1 org, $2 adapter, $3 type, $4 external id
-- params: 4
UPDATE sync.external_link l SET state = 'unlinked', rev = l.rev + 1
WHERE l.org_id = $1 AND l.adapter = $2
  AND ((l.external_type = $3 AND l.external_id = $4)
       OR (l.kind IN ('entity', 'value') AND l.state = 'linked' AND l.link_metadata ->> 'parent' = $3 || '/' || $4));
