-- What a publication should be, and is. $1 its name, $2 schema, $3 tables, $4 columns to publish beside those that identify a row.
-- A list of columns must cover the whole replica identity, or the application's updates would fail; a table without identity is
-- left out for the same reason; one with identity FULL can only be published whole.
-- -> is there; is right; options are right; statement that makes it; statement that puts its tables right; its options;
--    tables left out
-- params: 4
WITH want AS (
    SELECT x.ord, c.oid, c.relname, c.relreplident = 'f' AS whole,
           (SELECT array_agg(a.attname::text ORDER BY a.attnum) FROM pg_attribute a
            WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
              AND (a.attnum = ANY (i.indkey::int2[]) OR a.attname = ANY ($4::text[]))) AS cols,
           i.indexrelid IS NOT NULL OR c.relreplident = 'f' AS usable
    FROM unnest($3::text[]) WITH ORDINALITY AS x (name, ord)
    JOIN pg_class c ON c.relname = x.name AND c.relnamespace = to_regnamespace($2::text) AND c.relkind IN ('r', 'p')
    LEFT JOIN pg_index i ON i.indrelid = c.oid
        AND CASE c.relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident ELSE false END
), pub AS (
    SELECT * FROM pg_publication WHERE pubname = $1::text
), have AS (
    SELECT r.prrelid,
           (SELECT array_agg(a.attname::text ORDER BY a.attnum) FROM pg_attribute a
            WHERE a.attrelid = r.prrelid AND a.attnum = ANY (r.prattrs::int2[])) AS cols
    FROM pg_publication_rel r JOIN pub ON pub.oid = r.prpubid
), tables AS (
    SELECT string_agg(format('%I.%I', $2::text, relname) || CASE WHEN whole THEN '' ELSE
               (SELECT ' (' || string_agg(quote_ident(c), ', ' ORDER BY n) || ')' FROM unnest(cols) WITH ORDINALITY AS u (c, n)) END,
               ', ' ORDER BY ord) AS list
    FROM want WHERE usable
)
SELECT EXISTS (SELECT FROM pub),
       NOT EXISTS (
           SELECT FROM (SELECT * FROM want WHERE usable) w FULL JOIN have h ON h.prrelid = w.oid
           WHERE w.oid IS NULL OR h.prrelid IS NULL OR (NOT w.whole AND h.cols IS DISTINCT FROM w.cols)
              OR (w.whole AND h.cols IS NOT NULL)),
       coalesce((SELECT pubinsert AND pubupdate AND pubdelete AND pubtruncate AND pubviaroot FROM pub), false),
       format('CREATE PUBLICATION %I', $1::text) || coalesce(' FOR TABLE ' || list, '')
           || ' WITH (publish_via_partition_root = true)',
       format('ALTER PUBLICATION %I SET TABLE ', $1::text) || list,
       format('ALTER PUBLICATION %I SET (publish = ''insert, update, delete, truncate'', publish_via_partition_root = true)',
              $1::text),
       coalesce((SELECT string_agg(relname, ', ' ORDER BY ord) FROM want WHERE NOT usable), '')
FROM tables;
