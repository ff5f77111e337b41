-- Columns of OpenFaith's tables as the catalogue knows them (information_schema hides what we may not touch):
-- table, column, type, must be given (NOT NULL and nothing fills it in).
-- params: 0
SELECT c.relname, a.attname, format_type(a.atttypid, NULL),
       a.attnotnull AND NOT a.atthasdef AND a.attidentity = ''
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p', 'v') AND c.relname LIKE 'openfaith\_%'
ORDER BY c.relname, a.attnum;
