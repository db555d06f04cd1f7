-- VACUUM leaves dead rows that another session may still see, and a session of
-- autovacuum that analyzes some table is one: wait until none has a snapshot
-- from before.
CREATE PROCEDURE pg_temp.settle() LANGUAGE plpgsql AS $$
DECLARE
	own xid := pg_current_xact_id()::xid;
BEGIN
	WHILE EXISTS (SELECT FROM pg_stat_activity
			WHERE datname = current_database() AND pid <> pg_backend_pid() AND
				age(backend_xmin) > age(own)) LOOP
		PERFORM pg_sleep(0.01);
		PERFORM pg_stat_clear_snapshot();
	END LOOP;
END
$$;
