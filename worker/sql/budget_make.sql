-- params: 2
-- Rows of budgets that were never owned. $1 orgs, $2 adapters.
INSERT INTO sync.budget (org_id, adapter)
SELECT w.org_id, w.adapter FROM unnest($1::text[], $2::text[]) AS w (org_id, adapter)
WHERE NOT EXISTS (SELECT FROM sync.budget b WHERE b.org_id = w.org_id AND b.adapter = w.adapter)
ORDER BY 1, 2
ON CONFLICT DO NOTHING
