-- Bounded side input: bids with the value that a small table has for their auction.
CREATE TABLE side_input (key bigint PRIMARY KEY, value varchar NOT NULL);
INSERT INTO side_input SELECT key, 'value ' || key FROM generate_series(0, 9999) AS keys(key);
CREATE MATERIALIZED VIEW q13 AS
SELECT b.auction, b.bidder, b.price, b.date_time, s.value
FROM bid AS b
JOIN side_input AS s ON b.auction % 10000 = s.key;
