-- User sessions: how many bids does each bidder make before a pause of ten seconds?
CREATE MATERIALIZED VIEW q11 AS
SELECT bidder, count(*) AS bid_count, window_start AS start_time, max(date_time) + INTERVAL '10' SECOND AS end_time
FROM SESSION(TABLE bid PARTITION BY bidder, DESCRIPTOR(date_time), INTERVAL '10' SECOND)
GROUP BY bidder, window_start;
