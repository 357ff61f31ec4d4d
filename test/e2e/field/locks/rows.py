import sqlite3
import sys

db = sqlite3.connect("rows.db", timeout=60)
db.execute("create table if not exists rows (n)")
db.execute("insert into rows values (?)", (sys.argv[1],))
db.commit()
