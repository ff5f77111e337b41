-- params: 2
-- What is known of a record that was written there, and the number of that answer as a read. After push_touch, which waits for
-- whoever has the link. $1 org, $2 link.
SELECT b.seen, b.agreed, s.n FROM (SELECT nextval('sync.read_seq') AS n) s LEFT JOIN sync.base b ON b.org_id = $1 AND b.link_id = $2
