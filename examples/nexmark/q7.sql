-- Highest bid: of every ten seconds.
CREATE MATERIALIZED VIEW q7 AS
SELECT b.auction, b.price, b.bidder, b.date_time, b.extra
FROM TUMBLE(bid, date_time, INTERVAL '10 seconds') AS b
JOIN (
    SELECT window_start, max(price) AS price
    FROM TUMBLE(bid, date_time, INTERVAL '10 seconds')
    GROUP BY window_start
) AS highest ON b.price = highest.price AND b.window_start = highest.window_start;
