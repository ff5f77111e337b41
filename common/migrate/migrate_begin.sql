-- What stands before the first migration. CREATE SCHEMA wants a right on the database even where the schema exists.
DO $$
BEGIN
    IF to_regnamespace('sync') IS NULL THEN
        CREATE SCHEMA sync;
    END IF;
    IF to_regclass('sync.schema_version') IS NULL THEN
        CREATE TABLE sync.schema_version (
            version int PRIMARY KEY,
            name text NOT NULL,
            sha256 text NOT NULL,
            applied_at timestamptz NOT NULL DEFAULT now()
        );
    END IF;
END $$;
