-- What has run: version, sha256.
-- params: 0
SELECT version::bigint, sha256 FROM sync.schema_version ORDER BY version;
