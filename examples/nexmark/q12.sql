-- Processing time windows: how many bids of each bidder arrive in every ten seconds of our own clock?
CREATE MATERIALIZED VIEW q12 AS
SELECT bidder, count(*) AS bid_count, window_start, window_end
FROM TUMBLE(bid, arrived, INTERVAL '10 seconds')
GROUP BY bidder, window_start, window_end;
