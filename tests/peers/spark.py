"""Holds the lake against PySpark, which reads its Parquet files: ``make peers``.

Each table and view must have the same rows and types as in DuckDB. PySpark and Java take a gigabyte, so they have a
virtual environment of their own. The exit status is 0 if all agrees, 1 if something does not.
"""

# ruff: noqa: T201 - a program that prints what it found

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from revertrisk.lake.schema import TABLES
from tests.fakes.lake_views import QUERIES, SPARK_TYPES, disagreements, duckdb_answers, varied_lake

SESSION = Path(__file__).with_name("spark_answers.py")


def main() -> int:
    """Write a lake, ask both, and print what differs."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--python", required=True, help="a Python that has PySpark")
    parser.add_argument("--edits", type=int, default=500)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        lake = varied_lake(Path(folder), arguments.edits)
        tables = [
            {
                "name": table.name,
                "root": f"{lake.root}/{table.name}",
                "files": lake.files(table),
                "columns": {each.name: SPARK_TYPES[each.type] for each in table.columns},
            }
            for table in TABLES
        ]
        job = json.dumps({"tables": tables, "views": QUERIES})
        ran = subprocess.run(
            [arguments.python, str(SESSION)], input=job, stdout=subprocess.PIPE, text=True, check=True
        )
        ours = duckdb_answers(lake.root)
    problems = disagreements(ours, json.loads(ran.stdout))
    for problem in problems:
        print(problem)
    rows = sum(len(answer["rows"]) for answer in ours.values())
    print(f"{len(ours)} tables and views, {rows:,} rows: {len(problems) or 'no'} disagreements with PySpark")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
