-- New credentials: whatever was there is gone, and a refresh in flight will be fenced by the version. A row that is made anew after
-- a disconnect has a version that was never there before: workers keep what they know by it.
-- $1 org, $2 adapter, $3 kind, $4 key id, $5 sealed, $6 expires
-- params: 6
INSERT INTO sync.token AS t (org_id, adapter, kind, key_id, sealed, expires_at, version)
VALUES ($1, $2, $3, $4, $5, $6, (extract(epoch FROM clock_timestamp()) * 1000)::bigint)
ON CONFLICT (org_id, adapter) DO UPDATE
SET version = t.version + 1, kind = excluded.kind, key_id = excluded.key_id, sealed = excluded.sealed,
    prev_key_id = NULL, prev_sealed = NULL, expires_at = excluded.expires_at, lease_owner = NULL, lease_until = NULL,
    updated_at = now();
