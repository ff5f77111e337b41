-- $1 version, $2 name, $3 sha256
-- params: 3
INSERT INTO sync.schema_version (version, name, sha256) VALUES ($1::int8::int, $2, $3);
