"""`stillhere` with one more SQL statement for each connection to SQLite, given before the command's own arguments.

Started by the tests of power cuts as a program: the product has no setting for what must not be set.
"""

import sqlite3
import sys

import app
from history import db

prepare = db.prepare_sqlite
statement = sys.argv.pop(1)


def prepare_and_tune(connection: sqlite3.Connection, _record: object) -> None:
    prepare(connection, _record)
    connection.execute(statement)


db.prepare_sqlite = prepare_and_tune
app.main()
