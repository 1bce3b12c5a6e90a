"""Moves money between accounts in a database of SQLite, and looks whether any is lost.

sqlite.py prepare | run | check; the environment variable JOURNAL is its journal_mode
"""

from __future__ import annotations

import os
import sqlite3
import sys

ACCOUNTS = 20
database = sqlite3.connect("bank.db", isolation_level=None)
mode = database.execute(f"PRAGMA journal_mode = {os.environ.get('JOURNAL', 'DELETE')}").fetchone()

match sys.argv[1]:
    case "prepare":
        database.execute("CREATE TABLE account (name INTEGER PRIMARY KEY, money INTEGER, note TEXT)")
        # An account fills a page, so that each payment changes two.
        rows = [(name, 100, "x" * 3000) for name in range(ACCOUNTS)]
        database.executemany("INSERT INTO account VALUES (?, ?, ?)", rows)
    case "run":
        for number in range(4):
            database.execute("BEGIN")
            for name, change in ((number, -10), (ACCOUNTS - 1 - number, 10)):
                database.execute("UPDATE account SET money = money + ? WHERE name = ?", (change, name))
            database.execute("COMMIT")
            print("paid", number, flush=True)
    case "check":
        (state,) = database.execute("PRAGMA integrity_check").fetchone()
        (money,) = database.execute("SELECT sum(money) FROM account").fetchone()
        if (state, money) != ("ok", ACCOUNTS * 100):
            sys.exit(f"{state}: {money} where {ACCOUNTS * 100} should be")
database.close()
