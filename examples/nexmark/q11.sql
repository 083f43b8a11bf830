-- User sessions: how many bids does each bidder make before a pause of ten seconds?
CREATE MATERIALIZED VIEW q11 AS
SELECT bidder, count(*) AS bid_count, min(date_time) AS start_time, max(date_time) + INTERVAL '10 seconds' AS end_time
FROM (
    SELECT bidder, date_time, sum(begins) OVER (PARTITION BY bidder ORDER BY date_time) AS session
    FROM (
        SELECT bidder, date_time,
            CASE
                WHEN date_time - lag(date_time) OVER (PARTITION BY bidder ORDER BY date_time) < INTERVAL '10 seconds' THEN 0
                ELSE 1
            END AS begins
        FROM bid
    ) AS paused
) AS numbered
GROUP BY bidder, session;
