-- OpenFaith's own tables, where they are missing: entity tables and edges, with its names, columns, types and defaults.
-- An existing table is left exactly as it is (no column, no index). Not the tables of its application.
DO $$
DECLARE
    t record;
BEGIN
    FOR t IN
        SELECT * FROM (VALUES
            ('openfaith_people', 'person',
             '"firstName" text, "middleName" text, "lastName" text, "name" text, "gender" text, "birthdate" text,
              "anniversary" text, "avatar" text, "membership" text, "type" text NOT NULL DEFAULT ''default'''),
            ('openfaith_emails', 'email',
             '"address" text NOT NULL, "primary" boolean NOT NULL DEFAULT false, "blocked" boolean NOT NULL DEFAULT false,
              "location" text, "type" text NOT NULL DEFAULT ''default'''),
            ('openfaith_phoneNumbers', 'phoneNumber',
             '"number" text, "countryCode" text, "location" text, "primary" boolean NOT NULL DEFAULT false,
              "type" text NOT NULL DEFAULT ''default'''),
            ('openfaith_addresses', 'address',
             '"streetLine1" text, "streetLine2" text, "city" text, "state" text, "zip" text, "countryCode" text,
              "location" text, "primary" boolean NOT NULL DEFAULT false, "type" text NOT NULL DEFAULT ''default'''),
            ('openfaith_campuses', 'campus',
             '"name" text NOT NULL, "street" text NOT NULL, "city" text NOT NULL, "state" text NOT NULL,
              "zip" text NOT NULL, "countryCode" text, "description" text, "url" text, "avatar" text,
              "latitude" double precision, "longitude" double precision, "type" text NOT NULL DEFAULT ''default'''),
            ('openfaith_folders', 'folder',
             '"name" text NOT NULL, "color" text, "description" text, "folderType" text, "icon" text,
              "orderingKey" text, "parentFolderId" text'),
            ('openfaith_fields', 'field',
             '"entityTag" text NOT NULL, "key" text NOT NULL, "label" text NOT NULL, "description" text, "source" text,
              "type" text NOT NULL DEFAULT ''singleSelect'''),
            ('openfaith_fieldOptions', 'fieldOption',
             '"fieldId" text NOT NULL, "label" text NOT NULL, "value" text NOT NULL, "order" integer NOT NULL DEFAULT 0,
              "active" boolean NOT NULL DEFAULT true, "pathwayConfig" jsonb NOT NULL DEFAULT ''{}'''),
            ('openfaith_sacraments', 'sacrament',
             '"type" text NOT NULL, "administeredBy" text, "receivedBy" text, "occurredAt" text'),
            ('openfaith_qualifications', 'qualification',
             '"key" text NOT NULL, "name" text NOT NULL, "description" text, "type" text NOT NULL DEFAULT ''default'''),
            ('openfaith_households', 'household',
             '"name" text NOT NULL, "memberCount" integer, "avatar" text, "type" text NOT NULL DEFAULT ''default'''),
            ('openfaith_groups', 'group',
             '"name" text NOT NULL, "description" text, "contactEmail" text, "avatar" text, "url" text, "schedule" text,
              "memberCount" integer, "archivedAt" timestamptz, "type" text NOT NULL DEFAULT ''default'''),
            ('openfaith_funds', 'fund',
             '"name" text NOT NULL, "description" text, "ledgerCode" text, "visibility" text, "color" text,
              "primary" boolean NOT NULL DEFAULT false, "type" text NOT NULL DEFAULT ''default'''),
            ('openfaith_paymentSources', 'paymentSource',
             '"name" text NOT NULL, "type" text NOT NULL DEFAULT ''default'''),
            ('openfaith_batches', 'batch',
             '"description" text, "batchStatus" text, "totalCents" bigint, "currency" text, "committedAt" timestamptz,
              "type" text NOT NULL DEFAULT ''default'''),
            ('openfaith_donations', 'donation',
             '"amountCents" bigint NOT NULL, "currency" text, "feeCents" bigint, "paymentMethod" text,
              "paymentStatus" text, "checkNumber" text, "lastFour" text, "brand" text, "receivedAt" timestamptz,
              "completedAt" timestamptz, "refunded" boolean NOT NULL DEFAULT false,
              "type" text NOT NULL DEFAULT ''default'''),
            ('openfaith_designations', 'designation',
             '"amountCents" bigint NOT NULL, "currency" text, "feeCents" bigint, "type" text NOT NULL DEFAULT ''default''')
        ) AS v (table_name, tag, columns)
    LOOP
        CONTINUE WHEN to_regclass(format('public.%I', t.table_name)) IS NOT NULL;
        EXECUTE format(
            'CREATE TABLE public.%I (
                "id" text PRIMARY KEY,
                "_tag" character(%s) NOT NULL DEFAULT %L,
                "orgId" text NOT NULL,
                "externalIds" jsonb NOT NULL DEFAULT ''[]'',
                "customFields" jsonb NOT NULL DEFAULT ''[]'',
                "tags" jsonb NOT NULL DEFAULT ''[]'',
                "status" text NOT NULL DEFAULT ''active'',
                "createdAt" timestamptz NOT NULL,
                "createdBy" text,
                "updatedAt" timestamptz,
                "updatedBy" text,
                "deletedAt" timestamptz,
                "deletedBy" text,
                "inactivatedAt" timestamptz,
                "inactivatedBy" text,
                %s)', t.table_name, length(t.tag), t.tag, t.columns);
        EXECUTE format('CREATE INDEX %I ON public.%I ("orgId")', t.table_name || '_orgId_idx', t.table_name);
    END LOOP;

    IF to_regclass('public.openfaith_edges') IS NULL THEN
        CREATE TABLE public.openfaith_edges (
            "_tag" character(4) NOT NULL DEFAULT 'edge',
            "orgId" text NOT NULL,
            "sourceEntityId" text NOT NULL,
            "sourceEntityTypeTag" text NOT NULL,
            "targetEntityId" text NOT NULL,
            "targetEntityTypeTag" text NOT NULL,
            "relationshipType" text NOT NULL,
            "metadata" jsonb NOT NULL DEFAULT '{}',
            "createdAt" timestamptz NOT NULL,
            "createdBy" text,
            "updatedAt" timestamptz,
            "updatedBy" text,
            "deletedAt" timestamptz,
            "deletedBy" text,
            PRIMARY KEY ("orgId", "sourceEntityId", "targetEntityId", "relationshipType")
        );
        CREATE INDEX "openfaith_edges_relationshipType_idx" ON public.openfaith_edges ("relationshipType");
        CREATE INDEX "openfaith_edges_sourceEntityId_idx" ON public.openfaith_edges ("sourceEntityId");
        CREATE INDEX "openfaith_edges_targetEntityId_idx" ON public.openfaith_edges ("targetEntityId");
    END IF;
END $$;
