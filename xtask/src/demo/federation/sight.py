"""What is in a host's database: each table that has rows, what kinds of values, how long."""

import json
import sqlite3
import sys


def column(base, table, name):
    kinds = base.execute(
        f'SELECT typeof("{name}"), min(length("{name}")), max(length("{name}")) '
        f'FROM "{table}" GROUP BY 1 ORDER BY 1'
    ).fetchall()
    told = []
    for kind, least, most in kinds:
        if kind in ("blob", "text"):
            size = str(least) if least == most else f"{least}-{most}"
            told.append(f"{size} {'B' if kind == 'blob' else 'characters'}")
    if name == "lane":
        lanes = base.execute(f'SELECT DISTINCT hex(substr(lane, 1, 4)) FROM "{table}"')
        told += [f"{lane.lower()}.." for (lane,) in lanes.fetchall()]
    return f"{name} ({', '.join(told)})" if told else name


def main(path):
    base = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    tables = base.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY 1"
    )
    seen = []
    for (table,) in tables.fetchall():
        (rows,) = base.execute(f'SELECT count(*) FROM "{table}"').fetchone()
        if rows:
            names = [row[1] for row in base.execute(f'PRAGMA table_info("{table}")')]
            columns = [column(base, table, name) for name in names]
            seen.append({"table": table, "rows": rows, "columns": columns})
    json.dump(seen, sys.stdout)


main(sys.argv[1])
