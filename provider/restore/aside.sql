-- Runs once in a restored cluster that nobody can reach yet, before it becomes another stack's. No password of the
-- source is left in it. The database and the roles that the stack makes as its own step aside: the stack makes them as
-- in an empty cluster, with its own passwords, and pipe:sql:Takeover then puts these back in their place. Those of the
-- cluster's bootstrap (the provisioner, the replicator, the rewind role) stay: it sets their passwords anew.

SELECT format('ALTER ROLE %I PASSWORD NULL', rolname)
FROM pg_catalog.pg_authid
WHERE rolpassword IS NOT NULL
ORDER BY rolname
\gexec

SELECT format('ALTER ROLE %I RENAME TO %I', rolname, rolname || '_restored')
FROM pg_catalog.pg_roles
WHERE
    rolname LIKE 'pipe\_%'
    AND rolname NOT LIKE '%\_restored'
    AND rolname NOT IN ('pipe_provisioner', 'pipe_replicator', 'pipe_rewind')
ORDER BY rolname
\gexec

SELECT format('ALTER DATABASE %I RENAME TO %I', datname, datname || '_restored')
FROM pg_catalog.pg_database
WHERE datname = 'pipe'
\gexec

-- Nothing may run in it meanwhile, jobs of pg_cron included.
ALTER DATABASE pipe_restored ALLOW_CONNECTIONS false;
