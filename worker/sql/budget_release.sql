-- params: 7
-- Hands budgets over. $1 orgs, $2 adapters, $3 fences, $4 owner, $5 for how many ms permits are busy (a JSON array each),
-- $6 limits, $7 periods in s. Stored as wall times of the database's clock.
UPDATE sync.budget b
SET owner = NULL, lease_until = NULL, limit_n = nullif(w.limit_n, 0), period_s = nullif(w.period_s, 0), updated_at = now(),
    handover = (SELECT coalesce(jsonb_agg(h.v::bigint + (extract(epoch FROM clock_timestamp()) * 1000)::bigint), '[]')
                FROM jsonb_array_elements_text(w.busy) AS h (v))
FROM unnest($1::text[], $2::text[], $3::bigint[], $5::jsonb[], $6::bigint[], $7::bigint[])
    AS w (org_id, adapter, fence, busy, limit_n, period_s)
WHERE b.org_id = w.org_id AND b.adapter = w.adapter AND b.fence = w.fence AND b.owner = $4
