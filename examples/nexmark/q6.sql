-- Average selling price by seller: over each seller's last ten auctions and this one, by time of the winning bid.
CREATE MATERIALIZED VIEW q6 AS
SELECT seller,
    avg(final) OVER (PARTITION BY seller ORDER BY date_time, id ROWS BETWEEN 10 PRECEDING AND CURRENT ROW) AS average
FROM (
    SELECT a.id, a.seller, b.price AS final, b.date_time,
        row_number() OVER (PARTITION BY a.id ORDER BY b.price DESC, b.date_time) AS rank
    FROM auction AS a
    JOIN bid AS b ON a.id = b.auction
    WHERE b.date_time BETWEEN a.date_time AND a.expires
) AS bids
WHERE rank = 1;
