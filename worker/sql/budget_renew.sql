-- params: 5
-- Renews leases. $1 orgs, $2 adapters, $3 fences, $4 owner, $5 lease in ms. Gives org, adapter of those that are still ours.
UPDATE sync.budget b
SET lease_until = now() + $5 * interval '1 millisecond'
FROM unnest($1::text[], $2::text[], $3::bigint[]) AS w (org_id, adapter, fence)
WHERE b.org_id = w.org_id AND b.adapter = w.adapter AND b.fence = w.fence AND b.owner = $4
RETURNING b.org_id, b.adapter
