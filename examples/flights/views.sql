-- The views that the demo keeps up to date while the year 2013 goes by. They are created before the first
-- flight departs. Delays are in minutes.

-- Which airline keeps its passengers waiting?
CREATE MATERIALIZED VIEW delay_by_airline AS
SELECT a.name AS airline,
       count(*) AS flights,
       avg(f.dep_delay)::numeric(6, 1) AS dep_delay,
       avg(f.arr_delay)::numeric(6, 1) AS arr_delay,
       100 * sum(CASE WHEN f.arr_delay >= 15 THEN 1 ELSE 0 END) / count(*) AS percent_late
FROM flights f
JOIN airlines a ON a.carrier = f.carrier
WHERE f.arr_delay IS NOT NULL
GROUP BY a.name;

-- The routes to avoid, among those flown at least 100 times.
CREATE MATERIALIZED VIEW worst_routes AS
SELECT r.origin, d.name AS destination, r.flights, r.arr_delay, r.worst
FROM (
    SELECT origin, dest, count(*) AS flights, avg(arr_delay)::numeric(6, 1) AS arr_delay, max(arr_delay) AS worst
    FROM flights
    WHERE arr_delay IS NOT NULL
    GROUP BY origin, dest
    HAVING count(*) >= 100 AND avg(arr_delay) > 10
) r
JOIN airports d ON d.faa = r.dest;

-- Does the weather of the hour explain the delay?
CREATE MATERIALIZED VIEW delay_by_weather AS
SELECT sky, count(*) AS flights, avg(dep_delay)::numeric(6, 1) AS dep_delay, max(dep_delay) AS worst
FROM (
    SELECT f.dep_delay,
           CASE WHEN w.visib < 1 THEN 'fog'
                WHEN w.precip >= 0.1 THEN 'heavy rain'
                WHEN w.precip > 0 THEN 'light rain'
                WHEN w.wind_speed >= 25 THEN 'strong wind'
                ELSE 'fair' END AS sky
    FROM flights f
    JOIN weather w ON w.origin = f.origin AND w.time_hour = f.time_hour
    WHERE f.dep_time IS NOT NULL
) hours
GROUP BY sky;

-- How busy is each airport?
CREATE MATERIALIZED VIEW airport_traffic AS
SELECT p.faa, p.name, sum(m.departures) AS departures, sum(m.arrivals) AS arrivals
FROM (
    SELECT origin AS faa, 1 AS departures, 0 AS arrivals FROM flights WHERE dep_time IS NOT NULL
    UNION ALL
    SELECT dest, 0, 1 FROM flights WHERE arr_time IS NOT NULL
) m
JOIN airports p ON p.faa = m.faa
GROUP BY p.faa, p.name;

-- Where every flight stands, cancelled ones included until they are gone.
CREATE MATERIALIZED VIEW flight_status AS
SELECT origin, status, count(*) AS flights
FROM flights
GROUP BY origin, status;

-- The year so far, in one row.
CREATE MATERIALIZED VIEW overall AS
SELECT count(*) AS landed, avg(dep_delay)::numeric(6, 1) AS dep_delay, avg(arr_delay)::numeric(6, 1) AS arr_delay
FROM flights
WHERE arr_delay IS NOT NULL;

-- A view on two views: the airlines that do worse than all airlines together.
CREATE MATERIALIZED VIEW worse_than_average AS
SELECT d.airline, d.arr_delay, d.arr_delay - o.arr_delay AS above_average
FROM delay_by_airline d
JOIN overall o ON d.arr_delay > o.arr_delay;

-- The aircraft that have taken off so far, each once.
CREATE MATERIALIZED VIEW aircraft_seen AS
SELECT DISTINCT tailnum FROM flights WHERE dep_time IS NOT NULL AND tailnum IS NOT NULL;

-- A view on that: the fleet over New York by manufacturer.
CREATE MATERIALIZED VIEW fleet AS
SELECT p.manufacturer, count(*) AS aircraft, sum(p.seats) AS seats, min(p.year) AS oldest, max(p.year) AS newest
FROM aircraft_seen s
JOIN planes p ON p.tailnum = s.tailnum
GROUP BY p.manufacturer;
