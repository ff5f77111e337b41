-- params: 2
-- Edges by their keys, held for the rest of the transaction. $1 org, $2 keys (source|target|type). Gives how many are there, and how
-- many of them are not deleted.
WITH e AS MATERIALIZED (
    SELECT e."deletedAt" FROM unnest($2::text[]) AS k (key) JOIN public.openfaith_edges e ON e."orgId" = $1
        AND e."sourceEntityId" = split_part(k.key, '|', 1) AND e."targetEntityId" = split_part(k.key, '|', 2)
        AND e."relationshipType" = split_part(k.key, '|', 3)
    FOR NO KEY UPDATE OF e
)
SELECT count(*), count(*) FILTER (WHERE e."deletedAt" IS NULL) FROM e
