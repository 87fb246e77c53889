"""Reads statements of T-SQL with sqlglot, which knows the language independently of us.

In: a JSON array of [name, text, commands], where commands is how many statements of it sqlglot is
known to take by their first word alone. Out: one line for each that is not as it should be.
"""

import json
import logging
import sys

import sqlglot
from sqlglot import exp
from sqlglot.errors import ErrorLevel, ParseError

# it says by a warning what it says here by a line
logging.disable(logging.WARNING)

if sqlglot.__version__ != sys.argv[1]:
    print(f"sqlglot {sqlglot.__version__} is here, {sys.argv[1]} is wanted")
for name, text, commands in json.load(sys.stdin):
    try:
        parsed = sqlglot.parse(text, read="tsql", error_level=ErrorLevel.RAISE)
    except ParseError as error:
        print(f"{name}: {error}")
        continue
    if not any(parsed):
        print(f"{name}: nothing is in it")
    found = [node.sql() for tree in parsed if tree for node in tree.find_all(exp.Command)]
    if len(found) != commands:
        print(f"{name}: {len(found)} statements that it does not know, {commands} listed: {found}")
