-- Top ten bids of each auction.
CREATE MATERIALIZED VIEW q19 AS
SELECT *
FROM (
    SELECT auction, bidder, price, channel, url, date_time, extra,
        row_number() OVER (PARTITION BY auction ORDER BY price DESC) AS rank
    FROM bid
) AS bids
WHERE rank <= 10;
