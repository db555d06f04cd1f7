--
-- try(query): the query's one result, or the error that it gives.  Included
-- by regression tests that compare many inputs.
--
CREATE FUNCTION pg_temp.try(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
	detail text;
BEGIN
	EXECUTE query INTO result;
	RETURN result;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
	RETURN SQLSTATE || ' ' || SQLERRM || COALESCE(' (' || NULLIF(detail, '') || ')', '');
END
$$;
