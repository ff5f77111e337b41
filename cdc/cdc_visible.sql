-- Whether each of the transactions $1 is visible, in their order.
-- params: 1
SELECT pg_visible_in_snapshot(u.x::text::xid8, pg_current_snapshot())
FROM unnest($1::bigint[]) WITH ORDINALITY AS u (x, ord) ORDER BY u.ord;
