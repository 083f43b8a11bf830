-- Hot items: the auctions with the most bids in each of the last ten seconds' windows, one every two seconds.
CREATE MATERIALIZED VIEW q5 AS
WITH counts AS (
    SELECT auction, window_start, count(*) AS num
    FROM HOP(bid, date_time, INTERVAL '2 seconds', INTERVAL '10 seconds')
    GROUP BY auction, window_start
)
SELECT counts.auction, counts.num, counts.window_start
FROM counts
JOIN (SELECT window_start, max(num) AS maxn FROM counts GROUP BY window_start) AS most
    ON counts.window_start = most.window_start AND counts.num >= most.maxn;
