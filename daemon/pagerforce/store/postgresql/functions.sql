-- SQLite's functions that the store's SQL uses, for one text of SQL on both engines. Created again at each
-- start: they have no state. A damaged text gives false or null, never an error.

CREATE OR REPLACE FUNCTION json_valid(data text) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
  RETURN data::json IS NOT NULL;
EXCEPTION WHEN data_exception THEN
  RETURN false;
END $$;

CREATE OR REPLACE FUNCTION json_type(data text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT json_typeof(data::json) $$;

-- path: '$.a.b'. Booleans are 1 and 0, as in SQLite.
CREATE OR REPLACE FUNCTION json_extract(data text, path text) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
  part json := data::json #> string_to_array(substr(path, 3), '.');
BEGIN
  RETURN CASE WHEN json_typeof(part) = 'boolean' THEN CASE WHEN part::text = 'true' THEN '1' ELSE '0' END
    ELSE part #>> '{}' END;
EXCEPTION WHEN data_exception THEN
  RETURN NULL;
END $$;

-- The SQL word GLOB of SQLite as its function; patterns of brackets and stars only.
CREATE OR REPLACE FUNCTION glob(pattern text, value text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT value ~ ('^' || replace(pattern, '*', '.*') || '$') $$;
