-- The hashes are hidden from those who may read everything else.

SELECT NOT has_column_privilege('pipe_readonly', 'pipe.users', 'password_hash', 'SELECT');
SELECT has_column_privilege('pipe_readonly', 'pipe.users', 'email', 'SELECT');
