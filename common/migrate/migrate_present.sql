-- Whether any migration ever ran here.
-- params: 0
SELECT to_regclass('sync.schema_version') IS NOT NULL;
