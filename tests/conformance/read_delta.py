"""Reads a lake with other engines and prints what they see, as JSON.

    read_delta.py LAKE              rows, sum of output_tokens and xor of ids, per engine
    read_delta.py LAKE --watch N    [rows, distinct ids] of 2 N looks while the lake is written
"""

import json
import os
import sys
from functools import reduce

import deltalake
import polars


def summary(ids, tokens):
    xor = reduce(lambda a, b: a ^ int(b, 16), ids, 0)
    return {"rows": len(ids), "output_tokens": int(sum(t for t in tokens if t is not None)), "ids_xor": f"{xor:032x}"}


def columns_of(frame):
    return frame["event_id"].to_list(), frame["output_tokens"].to_list()


def with_polars(events):
    return polars.scan_delta(events).select("event_id", "output_tokens").collect()


def with_deltalake(events):
    table = deltalake.DeltaTable(events).to_pyarrow_table()
    return polars.DataFrame(table.select(["event_id", "output_tokens"]).to_pydict())


def all_engines(lake):
    events = f"{lake}/events"
    found = {
        "polars": summary(*columns_of(with_polars(events))),
        "deltalake": summary(*columns_of(with_deltalake(events))),
    }
    one = with_polars(events).height
    pruned = polars.scan_delta(events).filter(polars.col("month") == "2026-02").select(polars.len()).collect().item()
    assert 0 < pruned < one, (pruned, one)
    lazily = polars.scan_delta(events).filter(polars.col("ts") >= polars.lit("2026-03-01T00:00:00Z").str.to_datetime(time_zone="UTC"))
    assert lazily.select(polars.len()).collect().item() == one - pruned
    wide = polars.scan_delta(events).collect()
    assert wide.schema["text"] == polars.String, wide.schema
    found["rejects"] = polars.scan_delta(f"{lake}/rejects").select(polars.len()).collect().item()
    try:
        import duckdb

        connection = duckdb.connect()
        connection.execute("INSTALL delta; LOAD delta")
        query = f"SELECT event_id, output_tokens FROM delta_scan('{events}')"
        rows = connection.execute(query).fetchall()
        found["duckdb"] = summary([r[0] for r in rows], [r[1] for r in rows])
    except Exception as error:  # the extension is not installed and cannot be fetched
        found["duckdb"] = f"skipped: {str(error).splitlines()[0]}"
    try:
        import duckdb

        # DuckDB's own Parquet reader over exactly the live files.
        files = deltalake.DeltaTable(events).file_uris()
        rows = duckdb.connect().execute("SELECT event_id, output_tokens FROM read_parquet(?)", [files]).fetchall()
        found["duckdb over live files"] = summary([r[0] for r in rows], [r[1] for r in rows])
    except ImportError as error:
        found["duckdb over live files"] = f"skipped: {error}"
    return found


def watch(lake, count):
    looks = []
    for _ in range(count):
        for reader in (with_polars, with_deltalake):
            ids, _ = columns_of(reader(f"{lake}/events"))
            looks.append([len(ids), len(set(ids))])
    return looks


if __name__ == "__main__":
    if "--watch" in sys.argv:
        print(json.dumps(watch(sys.argv[1], int(sys.argv[3]))), flush=True)
    else:
        print(json.dumps(all_engines(sys.argv[1])), flush=True)
    # The engines' threads may abort the process when Python takes itself apart; what was read is said.
    os._exit(0)
