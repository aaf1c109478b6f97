-- Slow statements reach the server's log without a value in them.
--
-- log_min_duration_statement would write a statement as it was sent, with every literal, and so a password's hash that
-- somebody put into the text. pg_stat_statements keeps the same statement with $1, $2 in place of its constants. A job
-- looks there every minute for statements that took too long since its last look, and logs those.
--
-- It cannot see a statement that has not ended or that failed. The peaks start anew with each look (that is how a
-- statement that is slow again is noticed), the totals never do.
--
-- It runs as pipe_migrator, who may read every role's statements (pg_read_all_stats).

SET LOCAL ROLE pipe_migrator;

CREATE OR REPLACE FUNCTION upkeep.log_slow_statements() RETURNS integer
LANGUAGE plpgsql
SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    slow record;
    logged integer := 0;
BEGIN
    FOR slow IN
        SELECT
            statements.userid, statements.dbid, statements.queryid, pg_get_userbyid(statements.userid) AS role,
            round(max(statements.max_exec_time)) AS longest,
            sum(statements.calls) AS calls,
            -- In the rare case that its entry was pushed out while it ran, a statement is kept as it was sent.
            CASE
                WHEN bool_or(position('''' IN statements.query) > 0) THEN '(text withheld: it holds a literal)'
                ELSE left(regexp_replace(min(statements.query), '\s+', ' ', 'g'), 1000)
            END AS text
        FROM upkeep.pg_stat_statements AS statements, upkeep.policy() AS policy
        WHERE
            statements.max_exec_time >= policy.slow_statement_ms
            AND statements.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
        GROUP BY statements.userid, statements.dbid, statements.queryid
    LOOP
        RAISE LOG 'slow statement: up to % ms, role %, % calls in all, query id %: %',
            slow.longest, slow.role, slow.calls, slow.queryid, slow.text;
        PERFORM upkeep.pg_stat_statements_reset(slow.userid, slow.dbid, slow.queryid, true);
        logged := logged + 1;
    END LOOP;
    RETURN logged;
END;
$function$;

COMMENT ON FUNCTION upkeep.log_slow_statements()
IS 'Logs statements that were slow since the last call, with $1 for every value; returns how many. As pipe_migrator.';

REVOKE ALL ON FUNCTION upkeep.log_slow_statements() FROM public;

SET LOCAL ROLE pipe_owner;
