"""Holds records against the schemas of docs/reference/records with jsonschema, which knows JSON
Schema independently of us.

In: {"schemas": {kind: schema}, "records": [[kind, record]]}. Out: an array with a list of errors
for each record. Argument: the version that is wanted.
"""

import json
import sys
from importlib.metadata import version

from jsonschema import Draft202012Validator

if version("jsonschema") != sys.argv[1]:
    sys.exit(f"jsonschema {version('jsonschema')} is here, {sys.argv[1]} is wanted")
asked = json.load(sys.stdin)
checker = Draft202012Validator.FORMAT_CHECKER
assert "date-time" in checker.checkers, "rfc3339-validator is missing: times would not be checked"
validators = {}
for kind, schema in asked["schemas"].items():
    Draft202012Validator.check_schema(schema)
    validators[kind] = Draft202012Validator(schema, format_checker=checker)
print(json.dumps([
    [f"{error.json_path}: {error.message}" for error in validators[kind].iter_errors(record)]
    for kind, record in asked["records"]
]))
