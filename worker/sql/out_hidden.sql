-- params: 1
-- Which of these transactions cannot be seen yet? $1 transactions.
SELECT 1 FROM unnest($1::text[]) AS x (xid) WHERE NOT pg_visible_in_snapshot(x.xid::xid8, pg_current_snapshot())
