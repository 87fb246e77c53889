"""Reads statements of T-SQL with sqlglot, which knows the language independently of us.

In: a JSON array of [name, text, commands], where commands is how many statements of it sqlglot is
known to take by their first word alone. Out: one line for each that is not as it should be.
"""

import json
import logging
import sys

import sqlglot
from sqlglot import exp
from sqlglot.errors import ErrorLevel, SqlglotError

# Reserved words of Transact-SQL. sqlglot takes some of them for names: `IF a EXEC b` has a column
# that is called EXEC.
RESERVED = frozenset("""
ADD ALL ALTER AND ANY AS ASC AUTHORIZATION BACKUP BEGIN BETWEEN BREAK BROWSE BULK BY CASCADE
CASE CHECK CHECKPOINT CLOSE CLUSTERED COALESCE COLLATE COLUMN COMMIT COMPUTE CONSTRAINT
CONTAINS CONTAINSTABLE CONTINUE CONVERT CREATE CROSS CURRENT CURRENT_DATE CURRENT_TIME
CURRENT_TIMESTAMP CURRENT_USER CURSOR DATABASE DBCC DEALLOCATE DECLARE DEFAULT DELETE DENY DESC
DISK DISTINCT DISTRIBUTED DOUBLE DROP DUMP ELSE END ERRLVL ESCAPE EXCEPT EXEC EXECUTE EXISTS
EXIT EXTERNAL FETCH FILE FILLFACTOR FOR FOREIGN FREETEXT FREETEXTTABLE FROM FULL FUNCTION GOTO
GRANT GROUP HAVING HOLDLOCK IDENTITY IDENTITYCOL IDENTITY_INSERT IF IN INDEX INNER INSERT
INTERSECT INTO IS JOIN KEY KILL LEFT LIKE LINENO LOAD MERGE NATIONAL NOCHECK NONCLUSTERED NOT
NULL NULLIF OF OFF OFFSETS ON OPEN OPENDATASOURCE OPENQUERY OPENROWSET OPENXML OPTION OR ORDER
OUTER OVER PERCENT PIVOT PLAN PRECISION PRIMARY PRINT PROC PROCEDURE PUBLIC RAISERROR READ
READTEXT RECONFIGURE REFERENCES REPLICATION RESTORE RESTRICT RETURN REVERT REVOKE RIGHT
ROLLBACK ROWCOUNT ROWGUIDCOL RULE SAVE SCHEMA SECURITYAUDIT SELECT SESSION_USER SET SETUSER
SHUTDOWN SOME STATISTICS SYSTEM_USER TABLE TABLESAMPLE TEXTSIZE THEN TO TOP TRAN TRANSACTION
TRIGGER TRUNCATE TRY_CONVERT TSEQUAL UNION UNIQUE UNPIVOT UPDATE UPDATETEXT USE USER VALUES
VARYING VIEW WAITFOR WHEN WHERE WHILE WITH WRITETEXT
""".split())


def faults(text, commands):
    try:
        parsed = sqlglot.parse(text, read="tsql", error_level=ErrorLevel.RAISE)
        parsed = [tree for tree in parsed if tree]
    except SqlglotError as error:
        yield str(error)
        return
    if not parsed:
        yield "nothing is in it"
    found = [node.sql() for tree in parsed for node in tree.find_all(exp.Command)]
    if len(found) != commands:
        yield f"{len(found)} statements that it does not know, {commands} listed: {found}"
    for tree in parsed:
        for name in tree.find_all(exp.Identifier):
            if name.name.upper() in RESERVED and not isinstance(name.parent, exp.Parameter):
                yield f"{name.name} is a word of the language, not a name"


# it says by a warning what it says here by a line
logging.disable(logging.WARNING)

if sqlglot.__version__ != sys.argv[1]:
    print(f"sqlglot {sqlglot.__version__} is here, {sys.argv[1]} is wanted")
for name, text, commands in json.load(sys.stdin):
    for fault in faults(text, commands):
        print(f"{name}: {fault}")
