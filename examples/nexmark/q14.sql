-- Calculation: bids in a range of euro, with the time of day and how many letters c their text has.
CREATE FUNCTION count_char(s varchar, c varchar) RETURNS integer LANGUAGE SQL
    AS $$ SELECT length(s) - length(replace(s, c, '')) $$;
CREATE MATERIALIZED VIEW q14 AS
SELECT auction, bidder, 0.908 * price AS price,
    CASE
        WHEN extract(hour FROM date_time) BETWEEN 8 AND 18 THEN 'dayTime'
        WHEN extract(hour FROM date_time) <= 6 OR extract(hour FROM date_time) >= 20 THEN 'nightTime'
        ELSE 'otherTime'
    END AS bid_time_type,
    date_time, extra, count_char(extra, 'c') AS c_counts
FROM bid
WHERE 0.908 * price > 1000000 AND 0.908 * price < 50000000;
