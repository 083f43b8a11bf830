-- Monitor new users: who registered and opened an auction within the same ten seconds?
CREATE MATERIALIZED VIEW q8 AS
SELECT p.id, p.name, p.starttime
FROM (
    SELECT DISTINCT id, name, date_bin(INTERVAL '10 seconds', date_time, TIMESTAMP '1970-01-01') AS starttime
    FROM person
) AS p
JOIN (
    SELECT DISTINCT seller, date_bin(INTERVAL '10 seconds', date_time, TIMESTAMP '1970-01-01') AS starttime
    FROM auction
) AS a ON p.id = a.seller AND p.starttime = a.starttime;
