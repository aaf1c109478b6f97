-- The picture of tables, views and sequences, and of their columns: one row a fact. What hangs on them is in parts.sql.
--
-- relation, facet and definition make a line of the picture; parent is the partitioned table that a partition belongs
-- to. Grants come as two arrays, what is granted and what an owner starts with: their letters are read in Python.
-- What PostgreSQL or an extension made is left out, except for what may have been hung on it since.

WITH
scope AS (
    SELECT oid, quote_ident(nspname) AS schema_name
    FROM pg_namespace
    WHERE nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') AND nspname !~ '^pg_(toast_)?temp_'
),

relations AS (
    SELECT
        relation.oid,
        relation.relkind,
        relation.relowner,
        relation.relacl,
        relation.relpersistence,
        relation.relrowsecurity,
        relation.relforcerowsecurity,
        relation.relreplident,
        relation.reloptions,
        relation.reltablespace,
        relation.relispartition,
        scope.schema_name || '.' || quote_ident(relation.relname) AS relation,
        CASE relation.relkind
            WHEN 'v' THEN 'view'
            WHEN 'm' THEN 'materialized view'
            WHEN 'S' THEN 'sequence'
            WHEN 'f' THEN 'foreign table'
            WHEN 'c' THEN 'type'
            ELSE 'table'
        END AS kind,
        EXISTS(
            SELECT FROM pg_depend AS dependency
            WHERE
                dependency.classid = 'pg_class'::regclass
                AND dependency.objid = relation.oid
                AND dependency.deptype = 'e'
        ) AS is_foreign,
        (
            SELECT parent_scope.schema_name || '.' || quote_ident(parent.relname)
            FROM pg_inherits AS link
            INNER JOIN pg_class AS parent ON parent.oid = link.inhparent
            INNER JOIN scope AS parent_scope ON parent_scope.oid = parent.relnamespace
            WHERE link.inhrelid = relation.oid AND relation.relispartition AND NOT link.inhdetachpending
        ) AS parent
    FROM pg_class AS relation
    INNER JOIN scope ON scope.oid = relation.relnamespace
    WHERE relation.relkind IN ('r', 'p', 'v', 'm', 'S', 'f', 'c')
),

-- Views over live and archived rows read a month by its own name while it is on its way from one to the other
-- (sql/repeatable/050_history_views.sql), or read a view that does: the database writes them anew, and back.
readers AS (
    SELECT DISTINCT rule.ev_class AS reader, dependency.refobjid AS source
    FROM relations
    INNER JOIN pg_rewrite AS rule ON rule.ev_class = relations.oid
    INNER JOIN pg_depend AS dependency
        ON dependency.classid = 'pg_rewrite'::regclass
        AND dependency.objid = rule.oid
        AND dependency.refclassid = 'pg_class'::regclass
        AND dependency.refobjid <> rule.ev_class
    WHERE relations.relkind = 'v'
),

month_readers AS (
    SELECT readers.reader
    FROM readers
    INNER JOIN relations AS month ON month.oid = readers.source
    INNER JOIN relations AS view ON view.oid = readers.reader
    WHERE month.relation ~ '_y[0-9]{4}m[0-9]{2}$' AND starts_with(view.relation, left(month.relation, -9) || '_')
),

in_transit AS (
    SELECT month_readers.reader FROM month_readers
    UNION
    SELECT readers.reader
    FROM readers
    INNER JOIN month_readers ON month_readers.reader = readers.source
),

facts AS (
    -- ── what it is ──
    SELECT
        oid,
        '' AS facet,
        concat_ws(
            ', ',
            kind,
            CASE relpersistence WHEN 'u' THEN 'unlogged' END,
            'partitioned by ' || pg_get_partkeydef(oid),
            CASE
                WHEN relations.oid IN (SELECT in_transit.reader FROM in_transit) THEN 'with a month on its way'
                WHEN relkind IN ('v', 'm')
                    THEN 'body ' || left(encode(sha256(convert_to(pg_get_viewdef(oid), 'UTF8')), 'hex'), 12)
            END,
            CASE
                WHEN relkind IN ('r', 'p')
                    THEN CASE relreplident
                        WHEN 'f' THEN 'replica identity full' WHEN 'n' THEN 'replica identity nothing'
                    END
            END,
            (
                SELECT 'tablespace ' || quote_ident(spcname) FROM pg_tablespace
                WHERE pg_tablespace.oid = reltablespace
            ),
            (
                SELECT 'inherits ' || string_agg(link.inhparent::regclass::text, ' and ' ORDER BY link.inhseqno)
                FROM pg_inherits AS link
                WHERE link.inhrelid = relations.oid AND NOT relations.relispartition
            )
        ) AS definition,
        NULL::aclitem[] AS granted,
        NULL::aclitem[] AS initial
    FROM relations
    WHERE NOT is_foreign

    UNION ALL

    SELECT oid, 'bound', pg_get_expr(pg_class.relpartbound, pg_class.oid), NULL, NULL
    FROM relations INNER JOIN pg_class USING (oid)
    WHERE pg_class.relispartition

    UNION ALL

    SELECT oid, 'owner', pg_get_userbyid(relowner), NULL, NULL
    FROM relations
    WHERE NOT is_foreign

    UNION ALL

    SELECT
        oid, 'grants', NULL,
        coalesce(relacl, acldefault(CASE relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", relowner)),
        acldefault(CASE relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", relowner)
    FROM relations
    WHERE relkind <> 'c'

    UNION ALL

    SELECT oid, 'row security', concat_ws(', ', 'enabled', CASE WHEN relforcerowsecurity THEN 'forced' END), NULL, NULL
    FROM relations
    WHERE relrowsecurity OR relforcerowsecurity

    UNION ALL

    SELECT
        oid, 'options', (SELECT string_agg(option, ', ' ORDER BY option) FROM unnest(reloptions) AS option), NULL, NULL
    FROM relations
    WHERE reloptions IS NOT NULL AND NOT is_foreign

    UNION ALL

    -- ── columns ──
    SELECT
        relations.oid,
        'column ' || quote_ident(attribute.attname),
        concat_ws(
            ', ',
            format_type(attribute.atttypid, attribute.atttypmod),
            CASE WHEN attribute.attnotnull THEN 'not null' END,
            CASE
                WHEN attribute.attgenerated = '' THEN 'default ' || pg_get_expr(value.adbin, value.adrelid)
                ELSE 'generated as ' || pg_get_expr(value.adbin, value.adrelid)
            END,
            CASE attribute.attidentity WHEN 'a' THEN 'identity always' WHEN 'd' THEN 'identity by default' END,
            CASE
                WHEN attribute.attcollation <> type.typcollation
                    THEN 'collate ' || attribute.attcollation::regcollation
            END,
            CASE WHEN attribute.attstorage <> type.typstorage THEN concat('storage ', attribute.attstorage) END,
            CASE WHEN attribute.attcompression <> '' THEN concat('compression ', attribute.attcompression) END,
            'statistics ' || nullif(attribute.attstattarget, -1),
            -- What ALTER TABLE can set: builds of PostgreSQL keep marks of their own beside it.
            (
                SELECT string_agg(option, ', ' ORDER BY option) FROM unnest(attribute.attoptions) AS option
                WHERE option LIKE 'n_distinct%'
            )
        ),
        NULL,
        NULL
    FROM relations
    INNER JOIN pg_attribute AS attribute ON attribute.attrelid = relations.oid
    INNER JOIN pg_type AS type ON type.oid = attribute.atttypid
    LEFT JOIN pg_attrdef AS value ON value.adrelid = attribute.attrelid AND value.adnum = attribute.attnum
    WHERE
        relations.relkind IN ('r', 'p', 'f', 'c')
        AND attribute.attnum > 0
        AND NOT attribute.attisdropped
        AND NOT relations.is_foreign

    UNION ALL

    SELECT relations.oid, 'column ' || quote_ident(attribute.attname) || ' grants', NULL, attribute.attacl, '{}'
    FROM relations
    INNER JOIN pg_attribute AS attribute ON attribute.attrelid = relations.oid
    WHERE attribute.attacl IS NOT NULL AND NOT attribute.attisdropped

    UNION ALL

    -- ── sequences; what they have counted to is data ──
    SELECT
        relations.oid,
        'counts',
        concat_ws(
            ' ',
            format_type(sequence.seqtypid, NULL), 'from', sequence.seqstart, 'by', sequence.seqincrement, 'within',
            sequence.seqmin, 'and', sequence.seqmax, 'cache', sequence.seqcache,
            CASE WHEN sequence.seqcycle THEN 'cycle' END
        ),
        NULL,
        NULL
    FROM relations
    INNER JOIN pg_sequence AS sequence ON sequence.seqrelid = relations.oid
    WHERE NOT relations.is_foreign
)

SELECT
    relations.kind,
    relations.relation,
    relations.parent,
    facts.facet,
    facts.definition,
    facts.granted::text[] AS granted,
    facts.initial::text[] AS initial
FROM facts
INNER JOIN relations USING (oid)
WHERE relations.relkind <> 'c' OR NOT relations.is_foreign;
