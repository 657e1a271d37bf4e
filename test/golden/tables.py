#!/usr/bin/python3
"""Writes tables.json: files of separated values as pandas writes them, and what pandas reads of them.

Run `python3 test/golden/tables.py` where pandas is installed. Numbers that are not there are null.
"""
import csv
import io
import json
import math
from pathlib import Path

import pandas as pd

TEXTS = ["plain", 'a "quoted" word', "comma, and more", "two\nlines", "", None, " spaces ", "grün €", "tab\there", "semi;colon", "NA", "''"]
N = len(TEXTS)
FRAME = pd.DataFrame({
    "text": TEXTS,
    "number": [1.5, -2.25, 1e-7, 3.141592653589793, None, 1e300, -0.0, 0.1, 123456789.125, 5e-324, 7, 1 / 3],
    "whole": [1, -2, 30000000, 4, 5, 6, 7, 8, 9, 10, 11, -16777217],
    "truth": [True, False] * 6,
    "date, with comma": pd.to_datetime(["2020-02-29", "1969-12-31", "2000-01-01"] * 4),
    "a \"name\"": list("abcdefghijkl"),
})


def values(column):
    if column.dtype.kind == "M":
        return [None if pd.isna(x) else int(x.timestamp() * 1000) for x in column]
    if column.dtype.kind in "fiub":
        return [None if isinstance(x, float) and math.isnan(x) else (("-" * (x < 0) + "Infinity") if math.isinf(x) else float(x)) for x in column]
    return [None if pd.isna(x) else str(x) for x in column]


def case(name, text, options=None, **read):
    frame = pd.read_csv(io.BytesIO(text.encode()), float_precision="round_trip", **read)
    return {"name": name, "text": text, "options": options or {}, "columns": {k: values(frame[k]) for k in frame}}


def written(frame=FRAME, **how):
    return frame.to_csv(index=False, **how)


def cases():
    dates = {"parse_dates": ["date, with comma"]}
    for quoting, name in ((csv.QUOTE_MINIMAL, "minimal"), (csv.QUOTE_ALL, "all"), (csv.QUOTE_NONNUMERIC, "non-numeric")):
        for end, called in (("\n", "LF"), ("\r\n", "CRLF"), ("\r", "CR")):
            frame = FRAME.drop(3) if end == "\r" else FRAME  # pandas cannot read line feeds in quotes there
            yield case(f"{name} quotes and {called}", written(frame, quoting=quoting, lineterminator=end), **dates,
                       **({"lineterminator": end} if end == "\r" else {}))
    for sep, called in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
        yield case(called, written(sep=sep), sep=sep, **dates)
    yield case("a mark of the byte order", "\ufeff" + written(), encoding="utf-8", **dates)
    bare = FRAME[["number", "whole"]]
    yield case("no quotes", written(bare, quoting=csv.QUOTE_NONE), {"quote": None}, quoting=csv.QUOTE_NONE)
    yield case("another quote", written(quotechar="'"), {"quote": "'"}, quotechar="'", **dates)
    yield case("no header", written(bare, header=False), {"header": ["x", "y"]}, header=None, names=["x", "y"])
    yield case("a comment", "# made by hand\na,b\n1,2\n#3,4\n5,6\n", {"comment": "#"}, comment="#")
    yield case("empty lines", "\na,b\n\n1,2\n\n\n3,4\n\n")
    yield case("no end of the last line", "a,b\n1,2\n3,4")
    yield case("no rows", "a,b\n")
    yield case("one column", "a\n1\n2\n\n3\n")
    yield case("names twice", "a,b,a,a\n1,2,3,4\n")
    yield case("numbers written in all ways", "x\n1e5\n1E-5\n+2.5\n.5\n5.\n-1.7976931348623157e308\n2.2250738585072014e-308\n0.30000000000000004\n"
               "123456789012345678901234567890\n0.1234567890123456789012345\n1e400\ninf\n-Infinity\n 42 \n-0\n007\n9007199254740993\n")
    yield case("missing values of all kinds", "x,y\n" + "".join(
        f"{m},{m}\n" for m in ["", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA", "NULL",
                               "NaN", "None", "n/a", "nan", "null"]) + "1,z\n")
    yield case("missing values of one's own", "x,y\n?,-\n1,NA\n", {"missing": ["?", "-"]}, na_values=["?", "-"], keep_default_na=False)
    for sep in " T":
        text = "t\n2021-03-04 05:06:07\n\"1600-02-29 23:59:59\"\n2400-12-31 00:00:00\n".replace(" ", sep)
        yield case(f"dates with times behind '{sep}'", text, parse_dates=["t"])


if __name__ == "__main__":
    rows = [json.dumps(c, ensure_ascii=True) for c in cases()]
    (Path(__file__).parent / "tables.json").write_text("[\n" + ",\n".join(rows) + "\n]\n")
