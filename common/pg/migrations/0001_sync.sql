-- Schema sync: all state of openfaith-sync (design: ARCHITECTURE.md). Large tables are hash-partitioned by org.
-- Run by `openfaithctl migrate` inside one transaction, under an advisory lock; forward only.

-- not IF NOT EXISTS: that wants a right on the database even where the schema is there
DO $$
BEGIN
    IF to_regnamespace('sync') IS NULL THEN
        CREATE SCHEMA sync;
    END IF;
END $$;

-- org x adapter. generation is bumped, under FOR UPDATE, on connect, disconnect, change of mode, scope or strategy;
-- every writing transaction reads it FOR KEY SHARE.
CREATE TABLE sync.connection (
    org_id text NOT NULL,
    adapter text NOT NULL,
    mode text NOT NULL CHECK (mode IN ('bidirectional', 'openfaith', 'chms')),
    strategy text NOT NULL DEFAULT 'last_write_wins'
        CHECK (strategy IN ('last_write_wins', 'field_merge', 'chms_wins', 'openfaith_wins', 'ask')),
    field_strategies jsonb NOT NULL DEFAULT '{}', -- {"Person.firstName":"chms_wins"}
    delete_there boolean NOT NULL DEFAULT false,   -- deletions here are carried out there; else they ask a person
    push_first_link boolean NOT NULL DEFAULT false, -- mode chms: what a first link kept as ours is sent
    types text[] NOT NULL,                 -- external types in scope, closed under dependency
    base_url text,                         -- null: the adapter's own
    rate_n int,                            -- null: the adapter's own limit; 0: no limit
    rate_s int,
    state text NOT NULL DEFAULT 'connected'
        CHECK (state IN ('connected', 'paused', 'reconnect', 'parked', 'disconnected')),
    reason text,                           -- why it is parked or wants a reconnect; for people
    state_since timestamptz NOT NULL DEFAULT now(),
    probe_at timestamptz,                  -- parked: when it is tried again
    failures int NOT NULL DEFAULT 0,       -- alike failures in a row (breaker)
    external_account_id text,
    budget_key text,
    generation bigint NOT NULL DEFAULT 1,
    clock_offset_ms bigint NOT NULL DEFAULT 0, -- their Date minus our clock
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (org_id, adapter)
);
CREATE UNIQUE INDEX connection_budget_key ON sync.connection (adapter, budget_key) WHERE state <> 'disconnected';
-- few: the scheduler asks for each due poll whether its connection is one of them
CREATE INDEX connection_stopped ON sync.connection (org_id, adapter) WHERE state <> 'connected';
CREATE INDEX connection_probe ON sync.connection (probe_at) WHERE state = 'parked';

-- Moments per connection: 'poll' (all types), 'poll:TYPE' (a type with a period of its own), 'reconcile', 'ask:poll:TYPE' and
-- 'ask:reconcile:TYPE' (once, by a person: gone when done), 'work' (never due: when due work was last told). What is owed is
-- wanted > done; the scheduler emits it when it is due, and again after a while should nobody have done it.
CREATE TABLE sync.schedule (
    org_id text NOT NULL,
    adapter text NOT NULL,
    kind text NOT NULL DEFAULT 'poll',
    generation bigint NOT NULL DEFAULT 1,  -- the connection's; whoever moves that moves this in the same transaction
    period_s int NOT NULL DEFAULT 900 CHECK (period_s > 0),
    due_at timestamptz NOT NULL,
    emitted_at timestamptz,
    wanted bigint NOT NULL DEFAULT 0,      -- how often asked for
    done bigint NOT NULL DEFAULT 0,        -- what was wanted when the last one that ended began
    asked bigint NOT NULL DEFAULT 0,       -- the last that a person asked for: owed until done reaches it
    rev bigint NOT NULL DEFAULT 0,         -- moved by whoever works on it: of two at once one saves
    attempts int NOT NULL DEFAULT 0,       -- failures in a row
    polled timestamptz,                    -- last successful poll, for the types of this row
    run_id bigint,                         -- reconcile: the run that does it
    run_wanted bigint,                     -- and what was wanted when it began
    PRIMARY KEY (org_id, adapter, kind)
);
-- The next moment of a kind: a stable hash of its name within the period, so that there are no bursts.
CREATE FUNCTION sync.next_moment(org text, adapter text, kind text, period_s int, after timestamptz) RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT to_timestamp((((extract(epoch FROM after) * 1000)::bigint - h.off_ms) / (period_s * 1000::bigint) + 1)
                        * (period_s * 1000::bigint) / 1000.0::double precision + h.off_ms / 1000.0::double precision)
    FROM (SELECT (hashtextextended(org || chr(31) || adapter || chr(31) || kind, 0) & 9223372036854775807)
                 % (period_s * 1000::bigint) AS off_ms) h
$$;
CREATE INDEX schedule_due ON sync.schedule (due_at);

-- Credentials, sealed (AES-256-GCM, additional data: org, adapter). prev_*: the version before the last refresh, until the
-- new access token has been used.
CREATE TABLE sync.token (
    org_id text NOT NULL,
    adapter text NOT NULL,
    version bigint NOT NULL DEFAULT 1,
    kind text NOT NULL CHECK (kind IN ('pat', 'oauth')),
    key_id text NOT NULL,
    sealed bytea NOT NULL,
    prev_key_id text,
    prev_sealed bytea,
    expires_at timestamptz,                -- of the access token
    lease_owner text,                      -- who refreshes now
    lease_until timestamptz,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (org_id, adapter)
);

-- SyncStatus per type.
CREATE TABLE sync.status (
    org_id text NOT NULL,
    adapter text NOT NULL,
    external_type text NOT NULL,
    ordinal int NOT NULL,                  -- dependency order
    plural text NOT NULL,                  -- for people
    state text NOT NULL DEFAULT 'pending'
        CHECK (state IN ('pending', 'stage', 'match', 'create', 'populate', 'push', 'active', 'error')),
    processed bigint NOT NULL DEFAULT 0,   -- within the state; never backwards
    total bigint,                          -- null: not known yet
    error text,
    last_successful_poll timestamptz,
    poll_cursor jsonb,
    out_open boolean NOT NULL DEFAULT false, -- match has ended: unlinked entities may be created there
    unlinked bigint NOT NULL DEFAULT 0,    -- mode openfaith: theirs that have no partner here
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (org_id, adapter, external_type)
);

-- ExternalLink. The natural key is the primary key: ids of different types collide in real systems.
CREATE TABLE sync.external_link (
    org_id text NOT NULL,
    adapter text NOT NULL,
    external_type text NOT NULL,
    external_id text NOT NULL,
    id bigint NOT NULL GENERATED BY DEFAULT AS IDENTITY,
    kind text NOT NULL CHECK (kind IN ('entity', 'edge', 'value', 'reference')),
    state text NOT NULL DEFAULT 'unmatched'
        CHECK (state IN ('unmatched', 'ambiguous', 'linked', 'unlinked', 'merged_into', 'deleted')),
    entity_type text,
    entity_id text,
    link_metadata jsonb NOT NULL DEFAULT '{}',
    external_created_at timestamptz,
    external_updated_at timestamptz,
    read_seq bigint NOT NULL DEFAULT 0,
    push_seq bigint NOT NULL DEFAULT 0,
    last_processed_at timestamptz,
    missing_since timestamptz,
    run_id bigint,                         -- the run that brought it
    seen_run bigint,                       -- the last run that met it
    rev bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (org_id, adapter, external_type, external_id)
) PARTITION BY HASH (org_id);

-- What both sides said last, canonical form. seen: theirs as last read or answered and applied; agreed: our projection then
-- (null: same as seen); staged: listed, not yet applied.
CREATE TABLE sync.base (
    org_id text NOT NULL,
    link_id bigint NOT NULL,
    staged jsonb,
    seen jsonb,
    agreed jsonb,
    match_keys text[],
    mapping_version int NOT NULL DEFAULT 1,
    write_xid xid8,
    PRIMARY KEY (org_id, link_id)
) PARTITION BY HASH (org_id);

-- One row per obligation.
CREATE TABLE sync.work (
    org_id text NOT NULL,
    adapter text NOT NULL,
    direction text NOT NULL CHECK (direction IN ('in', 'out', 'msg')),
    record_type text NOT NULL,             -- in: external type; out: entity tag, or external type of an edge or value; msg: topic
    record_id text NOT NULL,               -- in: external id; out: entity id, or edge key, or entity id|field key; msg: partition/offset
    gen bigint NOT NULL DEFAULT 1,
    state text NOT NULL DEFAULT 'ready' CHECK (state IN ('ready', 'leased', 'waiting', 'parked', 'dead')),
    due_at timestamptz NOT NULL DEFAULT now(),
    priority smallint NOT NULL DEFAULT 0,  -- 0 ordinary, 1 permits that nobody else wants
    attempts int NOT NULL DEFAULT 0,
    reason text,
    waits_for text,                        -- Type/id
    xid xid8,
    first_at timestamptz NOT NULL DEFAULT now(),
    taken_gen bigint,
    fence bigint NOT NULL DEFAULT 0,
    lease_until timestamptz,
    intent jsonb,
    error text,
    error_class text,
    place text,
    PRIMARY KEY (org_id, adapter, direction, record_type, record_id)
) PARTITION BY HASH (org_id);

DO $$
BEGIN
    FOR i IN 0..15 LOOP
        EXECUTE format('CREATE TABLE sync.external_link_%s PARTITION OF sync.external_link FOR VALUES WITH (MODULUS 16, REMAINDER %s) WITH (fillfactor = 70)', i, i);
        EXECUTE format('CREATE TABLE sync.base_%s PARTITION OF sync.base FOR VALUES WITH (MODULUS 16, REMAINDER %s) WITH (fillfactor = 50)', i, i);
        EXECUTE format('CREATE TABLE sync.work_%s PARTITION OF sync.work FOR VALUES WITH (MODULUS 16, REMAINDER %s) WITH (fillfactor = 70)', i, i);
    END LOOP;
END $$;
-- entity first: the change reader asks for the org of a row that is gone by its id alone
CREATE UNIQUE INDEX external_link_entity ON sync.external_link (entity_id, org_id, adapter, external_type)
    WHERE kind = 'entity' AND state = 'linked';
-- from an entity to the values that others hold of it (FieldDatum of a person), from an edge's key to its record
CREATE INDEX external_link_parent ON sync.external_link (org_id, adapter, external_type, (link_metadata ->> 'parent'))
    WHERE kind = 'edge';
CREATE INDEX external_link_merged ON sync.external_link (org_id, adapter, external_type, (link_metadata ->> 'mergedInto'))
    WHERE state = 'merged_into';
-- suspicions, and what they became: the share that is missing is counted before anything is deleted
CREATE INDEX external_link_missing ON sync.external_link (org_id, adapter, external_type, missing_since)
    WHERE missing_since IS NOT NULL;
CREATE INDEX external_link_other ON sync.external_link (org_id, adapter, entity_id) WHERE kind IN ('edge', 'value');
-- entities that must not be made there again
CREATE INDEX external_link_tombstone ON sync.external_link (entity_id, org_id, adapter)
    WHERE kind = 'entity' AND state IN ('unlinked', 'merged_into', 'deleted');
-- by owner first: a lane claims its own, and the scheduler steps from owner to owner
CREATE INDEX work_due ON sync.work (org_id, adapter, due_at) WHERE state IN ('ready', 'leased', 'waiting');
CREATE INDEX work_leased ON sync.work (lease_until) WHERE state = 'leased';
CREATE INDEX work_waits ON sync.work (org_id, adapter, waits_for) WHERE waits_for IS NOT NULL;
-- what is on its way there: reads of it are not applied, new records of its type may be it
CREATE INDEX work_out ON sync.work (org_id, adapter, record_type, record_id)
    WHERE direction = 'out' AND (state = 'leased' OR intent IS NOT NULL);
CREATE INDEX work_state ON sync.work (state, first_at) WHERE state IN ('parked', 'dead');

-- What failures have in common: their class and their words without numbers and quoted values.
CREATE FUNCTION sync.cause_of(class text, words text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT substr(md5(coalesce(class, '') || '|' || regexp_replace(lower(coalesce(words, '')), '"[^"]*"|''[^'']*''|[0-9]+', '#', 'g')), 1, 10)
$$;

-- No cache: the numbers must follow the order in time of the reads, over all sessions.
CREATE SEQUENCE sync.read_seq;

-- Initial sync, resync, reconcile. One running per connection.
CREATE TABLE sync.run (
    id bigint PRIMARY KEY GENERATED BY DEFAULT AS IDENTITY,
    org_id text NOT NULL,
    adapter text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('initial', 'resync', 'reconcile')),
    state text NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'done', 'cancelled')),
    barrier boolean NOT NULL DEFAULT false, -- all types are populated: the last look may start
    server_date timestamptz,               -- the ChMS's Date at the run's first answer
    started_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz
);
CREATE UNIQUE INDEX run_running ON sync.run (org_id, adapter) WHERE state = 'running';

-- A type's way through a run: a chain of tasks numbered by seq. due_at 'infinity': waits for types it depends on.
CREATE TABLE sync.phase (
    run_id bigint NOT NULL REFERENCES sync.run (id) ON DELETE CASCADE,
    external_type text NOT NULL,
    org_id text NOT NULL,
    adapter text NOT NULL,
    ordinal int NOT NULL,
    step text NOT NULL DEFAULT 'stage'
        CHECK (step IN ('stage', 'match', 'create', 'populate', 'check', 'push', 'done', 'error')),
    seq bigint NOT NULL DEFAULT 1,
    emitted_seq bigint NOT NULL DEFAULT 0,
    due_at timestamptz NOT NULL DEFAULT now(),
    emitted_at timestamptz,
    moved_at timestamptz NOT NULL DEFAULT now(),
    cursor jsonb,
    processed bigint NOT NULL DEFAULT 0,
    total bigint,
    attempts int NOT NULL DEFAULT 0,
    waits text,                            -- why it does not go on; for people
    error text,
    PRIMARY KEY (run_id, external_type)
) WITH (fillfactor = 50);
CREATE INDEX phase_due ON sync.phase (due_at) WHERE emitted_seq < seq AND step NOT IN ('done', 'error');
CREATE INDEX phase_moving ON sync.phase (moved_at) WHERE step NOT IN ('done', 'error');
CREATE INDEX phase_connection ON sync.phase (org_id, adapter);

-- What waits for a person.
CREATE TABLE sync.review (
    id bigint PRIMARY KEY GENERATED BY DEFAULT AS IDENTITY,
    org_id text NOT NULL,
    adapter text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('match', 'conflict', 'delete', 'unlinked')),
    external_type text,
    external_id text,
    entity_type text,
    entity_id text,
    field text NOT NULL DEFAULT '',
    link_rev bigint,
    entity_version timestamptz,
    detail jsonb NOT NULL DEFAULT '{}',
    state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'accepted', 'rejected', 'obsolete')),
    created_at timestamptz NOT NULL DEFAULT now(),
    decided_at timestamptz,
    decided_by text
);
CREATE UNIQUE INDEX review_open ON sync.review (org_id, adapter, kind, external_type, external_id, field) WHERE state = 'open';
-- asked once per entity, also after a no
CREATE UNIQUE INDEX review_unlinked ON sync.review (org_id, adapter, entity_id) WHERE kind = 'unlinked' AND state <> 'obsolete';
-- what was answered about a record before: a candidate that was rejected is not proposed again
CREATE INDEX review_record ON sync.review (org_id, adapter, external_type, external_id);
CREATE TABLE sync.review_candidate (
    review_id bigint NOT NULL REFERENCES sync.review (id) ON DELETE CASCADE,
    entity_id text NOT NULL,
    score int NOT NULL,
    reasons text[] NOT NULL,
    PRIMARY KEY (review_id, entity_id)
);
CREATE INDEX review_candidate_entity ON sync.review_candidate (entity_id);

-- The rate budget's owner. handover: wall times (ms) until which permits are busy, written at a clean hand-over.
CREATE TABLE sync.budget (
    org_id text NOT NULL,
    adapter text NOT NULL,
    owner text,
    fence bigint NOT NULL DEFAULT 0,
    lease_until timestamptz,
    handover jsonb,
    limit_n int,
    period_s int,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (org_id, adapter)
) WITH (fillfactor = 50);

-- What this system changed, and why. Creations stand in external_link itself (run_id), not here.
CREATE TABLE sync.journal (
    at timestamptz NOT NULL DEFAULT now(),
    org_id text NOT NULL,
    adapter text NOT NULL,
    entity_type text,
    entity_id text,
    external_type text,
    external_id text,
    field text,
    old jsonb,
    new jsonb,
    rule text NOT NULL,
    run_id bigint
) PARTITION BY RANGE (at);
CREATE TABLE sync.journal_default PARTITION OF sync.journal DEFAULT;
CREATE INDEX journal_entity ON sync.journal (org_id, entity_id, at);
CREATE INDEX journal_at ON sync.journal USING brin (at);

-- The change reader's place; the slot itself is the truth. Written at most every ten seconds.
CREATE TABLE sync.cdc_state (
    slot text PRIMARY KEY,
    system_id text NOT NULL,
    timeline bigint NOT NULL,
    published_lsn pg_lsn NOT NULL,
    committed_at timestamptz,              -- of the last published commit
    reader text,
    gear text NOT NULL DEFAULT 'stream',
    horizon xid8,                          -- whatever commits after published_lsn has this transaction id or a later one
    repair jsonb,                          -- changes were lost: what is owed is found by difference; how far that is
    updated_at timestamptz NOT NULL DEFAULT now()
);
