"""Forgetting, cartography and AUM of every sample in a Parquet file of losses, by a peer, on two threads.

Arguments: the peer and the file. The answer is a line of JSON: seconds of the clock and of processors, the number of samples, and the
sums over samples of events, confidence, variability, correctness and AUM.
"""
import json
import os
import resource
import sys
import time

os.environ["POLARS_MAX_THREADS"] = "2"
peer, path = sys.argv[1:]


def duckdb_lists(path):
    import duckdb

    c = duckdb.connect()
    c.execute("SET threads = 2; SET enable_progress_bar = false")
    return c.execute(
        """
        SELECT count(*), sum(events), sum(confidence), sum(variability), sum(correctness), sum(aum)
        FROM (
            SELECT *, len(list_filter(list_zip(history[:-2], history[2:]), lambda pair: pair[1] AND NOT pair[2])) AS events
            FROM (
                SELECT list(correct ORDER BY epoch) AS history, avg(p_true) AS confidence, stddev_pop(p_true) AS variability,
                    avg(correct::INT) AS correctness, avg(margin) AS aum
                FROM read_parquet(?)
                GROUP BY sample_id
            )
        )
        """,
        [path],
    ).fetchone()


def polars(path, forgot, events):
    import polars as pl

    scores = (
        pl.scan_parquet(path)
        .with_columns(**forgot(pl))
        .group_by("sample_id")
        .agg(
            events=events(pl),
            confidence=pl.col("p_true").mean(),
            variability=pl.col("p_true").std(ddof=0),
            correctness=pl.col("correct").mean(),
            aum=pl.col("margin").mean(),
        )
    )
    sums = [pl.col(c).cast(pl.Float64).sum() for c in ("events", "confidence", "variability", "correctness", "aum")]
    return scores.select(pl.len(), *sums).collect(engine="streaming").row(0)


def polars_groups(path):
    return polars(path, lambda pl: {}, lambda pl: (pl.col("correct").sort_by("epoch").shift(1) & ~pl.col("correct").sort_by("epoch")).sum())


def polars_order(path):
    """Takes the file to be in the order of samples and epochs, as it is."""

    def forgot(pl):
        return {"forgot": pl.col("correct").shift(1) & ~pl.col("correct") & (pl.col("sample_id") == pl.col("sample_id").shift(1))}

    return polars(path, forgot, lambda pl: pl.col("forgot").sum())


run = {"duckdb": duckdb_lists, "polars": polars_groups, "polars-order": polars_order}[peer]
__import__(peer.split("-")[0])
began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
row = run(path)
after = resource.getrusage(resource.RUSAGE_SELF)
json.dump(
    {
        "seconds": time.perf_counter() - began,
        "processor": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "samples": row[0],
        "sums": [float(v) for v in row[1:]],
    },
    sys.stdout,
)
