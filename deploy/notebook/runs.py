"""What a training run says of its samples: a notebook over ClickHouse's HTTP port.

    marimo edit deploy/notebook/runs.py          # GLEANER_CLICKHOUSE names the port: `gleaner up` prints it

It asks the ready queries of deploy/query (`gleaner query --list`), which only read.
"""

import marimo

app = marimo.App(width="medium", app_title="Gleaner: a training run")


@app.cell
def _():
    import json
    import os
    import urllib.error
    import urllib.parse
    import urllib.request
    from pathlib import Path

    import altair as alt
    import marimo as mo

    return Path, alt, json, mo, os, urllib


@app.cell
def _(Path, json, os, urllib):
    server = urllib.parse.urlsplit(os.environ.get("GLEANER_CLICKHOUSE", "http://127.0.0.1:8123"))
    database = os.environ.get("GLEANER_DATABASE", "gleaner")
    queries = Path(__file__).resolve().parent.parent / "query"

    def ask(sql, **params):
        """Rows of an answer as dictionaries. Parameters are ClickHouse's, {name:Type} in the SQL."""
        settings = {"database": database, "default_format": "JSONEachRow", "readonly": 2, "output_format_json_quote_64bit_integers": 0}
        settings |= {f"param_{name}": value for name, value in params.items()}
        request = urllib.request.Request(
            f"{server.scheme}://{server.netloc}/?{urllib.parse.urlencode(settings)}",
            data=sql.encode(),
            headers={
                "X-ClickHouse-User": os.environ.get("GLEANER_CLICKHOUSE_USER", "default"),
                "X-ClickHouse-Key": os.environ.get("GLEANER_CLICKHOUSE_PASSWORD", ""),
            },
        )
        try:
            with urllib.request.urlopen(request) as answer:
                return [json.loads(line) for line in answer]
        except urllib.error.HTTPError as e:
            raise RuntimeError(e.read().decode()) from e

    def ready(name, **params):
        """Rows of a ready query."""
        return ask((queries / f"{name}.sql").read_text(), **params)

    return ask, ready


@app.cell
def _(ask, mo):
    runs = [row["run_id"] for row in ask("SELECT run_id FROM losses GROUP BY run_id ORDER BY max(arrived) DESC, run_id")]
    mo.stop(not runs, mo.md("No run has sent losses yet: `gleaner train` or `gleaner losses push` bring some."))
    choice = mo.ui.dropdown(runs, value=runs[0], label="Run")
    choice
    return (choice,)


@app.cell
def _(alt, choice, mo, ready):
    epochs = alt.Chart(alt.Data(values=ready("learning", run=choice.value))).encode(x=alt.X("epoch:Q", title="epoch"))
    learning = mo.vstack([
        mo.md("## Learning"),
        mo.ui.altair_chart(
            (
                epochs.mark_line(point=True).encode(y=alt.Y("mean_loss:Q", title="mean loss, nats")).properties(width=220)
                | epochs.mark_line(point=True).encode(y=alt.Y("accuracy:Q", title="accuracy")).properties(width=220)
                | epochs.mark_bar().encode(y=alt.Y("forgot:Q", title="share forgotten")).properties(width=220)
            )
        ),
    ])
    learning
    return


@app.cell
def _(alt, ask, choice, mo):
    curves = ask(
        """
        SELECT sample, object_id, kind, epoch, loss
        FROM loss_latest AS l
        INNER JOIN
        (
            SELECT sample_id, object_id, kind FROM scores WHERE run_id = {run:String}
            ORDER BY cityHash64(sample_id, object_id) LIMIT 20 BY kind
        ) AS s ON s.sample_id = l.sample_id AND s.object_id = l.object_id
        WHERE l.run_id = {run:String} AND isFinite(loss)
        ORDER BY sample, object_id, epoch
        """,
        run=choice.value,
    )
    for row in curves:
        row["object"] = f"{row['sample']} {row['object_id']}"
    mo.vstack([
        mo.md("## Loss curves\n\nTwenty objects of each kind, drawn at random."),
        mo.ui.altair_chart(
            alt.Chart(alt.Data(values=curves))
            .mark_line(opacity=0.4)
            .encode(x="epoch:Q", y=alt.Y("loss:Q", title="loss, nats"), detail="object:N", color="kind:N", facet=alt.Facet("kind:N", columns=3))
            .properties(width=220, height=140)
        ),
    ])
    return


@app.cell
def _(alt, choice, mo, ready):
    mo.vstack([
        mo.md("## Data map\n\nSwayamdipta et al., *Dataset Cartography*, EMNLP 2020: confidence is the mean probability of the label, variability its deviation."),
        mo.ui.altair_chart(
            alt.Chart(alt.Data(values=ready("map", run=choice.value, top=5000)))
            .mark_circle(opacity=0.5)
            .encode(
                x="variability:Q", y="confidence:Q", color="kind:N", size=alt.Size("correctness:Q", scale=alt.Scale(range=[10, 60])),
                tooltip=["sample:N", "object_id:N", "class:N", "kind:N", "aum:Q", "error_score:Q"],
            )
            .properties(width=640, height=400)
        ),
    ])
    return


@app.cell
def _(alt, choice, mo, ready):
    events = ready("forgetting", run=choice.value)
    for bar in events:
        bar["events"] = "never learned" if bar["events"] is None else str(bar["events"])
    mo.vstack([
        mo.md("## Forgetting\n\nToneva et al., ICLR 2019: how often an object was right at one epoch and wrong at the next."),
        mo.ui.altair_chart(
            alt.Chart(alt.Data(values=events))
            .mark_bar()
            .encode(x=alt.X("events:N", sort=[bar["events"] for bar in events], title="forgetting events"), y="objects:Q", tooltip=["objects:Q", "share:Q"])
            .properties(width=640, height=240)
        ),
    ])
    return


@app.cell
def _(alt, choice, mo, ready):
    classes = ready("classes", run=choice.value)
    kinds = [
        {"class": row["class"], "kind": kind, "objects": row[kind]} for row in classes for kind in ("easy", "hard", "edge", "label_error")
    ]
    mo.vstack([
        mo.md("## Class by class"),
        mo.ui.altair_chart(
            alt.Chart(alt.Data(values=kinds))
            .mark_bar()
            .encode(x=alt.X("objects:Q", stack="normalize", title="share of the class's objects"), y="class:N", color="kind:N", tooltip=["class:N", "kind:N", "objects:Q"])
            .properties(width=640)
        ),
        mo.ui.table(classes, selection=None),
    ])
    return


@app.cell
def _(choice, mo, ready):
    mo.vstack([
        mo.md("## Labels that look wrong"),
        mo.ui.table(ready("doubtful", run=choice.value, top=100), selection=None),
    ])
    return


if __name__ == "__main__":
    app.run()
