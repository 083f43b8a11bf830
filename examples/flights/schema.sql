-- What the demo knows before the year begins.

CREATE TABLE airlines (
    carrier text PRIMARY KEY,
    name    text NOT NULL
);

CREATE TABLE airports (
    faa   text PRIMARY KEY,
    name  text NOT NULL,
    lat   double precision NOT NULL,
    lon   double precision NOT NULL,
    alt   integer NOT NULL,
    tzone text
);

CREATE TABLE planes (
    tailnum      text PRIMARY KEY,
    year         integer,
    type         text NOT NULL,
    manufacturer text NOT NULL,
    model        text NOT NULL,
    engines      integer NOT NULL,
    seats        integer NOT NULL,
    engine       text NOT NULL
);

CREATE TABLE weather (
    origin     text NOT NULL,
    temp       double precision,
    dewp       double precision,
    humid      double precision,
    wind_dir   integer,
    wind_speed double precision,
    wind_gust  double precision,
    precip     double precision NOT NULL,
    pressure   double precision,
    visib      double precision NOT NULL,
    time_hour  timestamptz NOT NULL,
    PRIMARY KEY (origin, time_hour)
);

-- What happens during the year. A flight is INSERTed when it departs, and UPDATEd when it lands. A flight
-- that will be cancelled is INSERTed some hours ahead as 'scheduled', and DELETEd when it should have left.
CREATE TABLE flights (
    id        integer PRIMARY KEY,
    carrier   text NOT NULL,
    flight    integer NOT NULL,
    tailnum   text,
    origin    text NOT NULL,
    dest      text NOT NULL,
    distance  integer NOT NULL,
    time_hour timestamptz NOT NULL,
    sched_dep timestamptz NOT NULL,
    dep_time  timestamptz,
    dep_delay integer,
    arr_time  timestamptz,
    arr_delay integer,
    status    text NOT NULL DEFAULT 'scheduled'
);
