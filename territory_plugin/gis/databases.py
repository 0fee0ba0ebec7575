"""Tables of PostgreSQL: written under a name of their own, and put in place by one statement, all of them or none."""

from __future__ import annotations

import hashlib
import os
import platform
from dataclasses import dataclass
from uuid import uuid4

from qgis.core import QgsDataSourceUri, QgsProviderConnectionException, QgsProviderRegistry

from ..engine.errors import TerritoryError, name_some
from .geopackage import TABLE_ASIDE

POSTGRES = ("postgres:", "postgis:")
LONGEST_NAME = 63  # bytes: what PostgreSQL keeps of a name
HERE = hashlib.sha256(platform.node().encode()).hexdigest()[:8]
"""Which computer a table was left by: other computers write to the same database."""

# PostgreSQL runs a string of several statements as one transaction
SCHEMA = "SELECT current_schema()"
COUNT = "SELECT COUNT(*) FROM {table}"
DROP = "DROP TABLE IF EXISTS {table}"
MAY_CREATE = "SELECT has_schema_privilege(oid, 'CREATE') FROM pg_namespace WHERE nspname = {schema}"
FOUND = (
    "SELECT relkind::text, pg_has_role(relowner, 'USAGE') FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace "
    "WHERE nspname = {schema} AND relname = {name}"
)
VIEWS = (
    "SELECT DISTINCT v.relname::text FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid "
    "JOIN pg_class v ON v.oid = r.ev_class JOIN pg_class t ON t.oid = d.refobjid "
    "JOIN pg_namespace n ON n.oid = t.relnamespace "
    "WHERE nspname = {schema} AND t.relname = {name} AND v.oid <> t.oid"
)
LEFT = (
    "SELECT relname::text FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace "
    "WHERE nspname = {schema} AND relkind = 'r' AND starts_with(relname::text, {name})"
)
PARTS = (
    "SELECT relname::text, CASE relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'INDEX' END FROM pg_class "
    "JOIN pg_namespace n ON n.oid = relnamespace "
    "WHERE nspname = {schema} AND relkind IN ('i', 'S') AND starts_with(relname::text, {name})"
)
HAS_STYLES = "SELECT to_regclass('layer_styles') IS NOT NULL"
FORGET_STYLE = (
    "DELETE FROM layer_styles "
    "WHERE f_table_catalog = current_database() AND f_table_schema = {schema} AND f_table_name = {name}"
)
WAIT = "SET LOCAL lock_timeout = '5s'"
RENAME = "ALTER {kind} {old} RENAME TO {new}"
# people's own styles of the earlier table stay; the one of the same name is replaced
MOVE_STYLE = (
    "DELETE FROM layer_styles old USING layer_styles own WHERE old.f_table_catalog = current_database() "
    "AND own.f_table_catalog = current_database() AND old.f_table_schema = {schema} AND own.f_table_schema = {schema} "
    "AND old.f_table_name = {name} AND own.f_table_name = {aside} AND old.stylename = own.stylename",
    "UPDATE layer_styles SET useasdefault = false WHERE f_table_catalog = current_database() "
    "AND f_table_schema = {schema} AND f_table_name = {name} AND EXISTS (SELECT 1 FROM layer_styles own "
    "WHERE own.f_table_catalog = current_database() AND own.f_table_schema = {schema} AND own.f_table_name = {aside})",
    "UPDATE layer_styles SET f_table_name = {name} WHERE f_table_catalog = current_database() "
    "AND f_table_schema = {schema} AND f_table_name = {aside}",
)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


@dataclass
class DatabaseTable:
    """A table of a PostgreSQL database that a run writes.

    Attributes
    ----------
    given : str
        The output's text.
    connection : qgis.core.QgsAbstractDatabaseProviderConnection
    server : str
        What it is connected to; the tables of one server change together.
    schema, name : str
    aside : str
        The name that the table has until it is complete.
    """

    given: str
    connection: object
    server: str
    schema: str
    name: str
    aside: str

    @classmethod
    def of(cls, text: str) -> DatabaseTable | None:
        """Return the table that an output's text means, None where it means none.

        Raises
        ------
        TerritoryError
            Where the database cannot be reached.
        """
        if not text.startswith(POSTGRES):
            return None
        uri = QgsDataSourceUri(text.partition(":")[2])
        server = uri.connectionInfo(False)
        try:
            metadata = QgsProviderRegistry.instance().providerMetadata("postgres")
            connection = metadata.createConnection(server, {})
            schema = connection.executeSql(SCHEMA)[0][0]  # also where it is given: so it is known to answer
        except QgsProviderConnectionException as error:
            raise TerritoryError(f"The database cannot be reached: {_in_short(error)}") from error
        aside = f"{_ours()}{os.getpid()}_{uuid4().hex[:8]}"
        return cls(text, connection, server, uri.schema() or str(schema), uri.table(), aside)

    def asked(self, statement: str, **more: str) -> list[list]:
        """Return what the database answers to a statement about this table."""
        names = {"schema": _text(self.schema), "name": _text(self.name), **more}
        return self.connection.executeSql(statement.format(**names))

    def table(self, name: str) -> str:
        return f"{_quoted(self.schema)}.{_quoted(name)}"

    @property
    def aside_text(self) -> str:
        """The output's text with the name aside in it."""
        uri = QgsDataSourceUri(self.given.partition(":")[2])
        uri.setDataSource(self.schema, self.aside, uri.geometryColumn(), uri.sql(), uri.keyColumn())
        return f"{self.given.partition(':')[0]}:{uri.uri(False)}"

    def why_not(self) -> str:
        """Return why the table cannot be written or replaced, in words that follow “cannot write …”; "" if it can."""
        may = self.asked(MAY_CREATE)
        if not may:
            return f"the database has no schema “{self.schema}”"
        if not may[0][0]:
            return f"you may not make tables in the schema “{self.schema}”"
        for kind, own in self.asked(FOUND):
            if kind not in ("r", "p"):
                return "it is no table"
            if not own:
                return "it belongs to another user of the database"
        views = [name for (name,) in self.asked(VIEWS)]
        if views:
            return f"views stand on it and would be lost ({name_some(views, 5)})"
        return ""

    @property
    def has_styles(self) -> bool:
        """Whether the database keeps styles of layers: it is not given a table for them only because of a run."""
        return bool(self.asked(HAS_STYLES)[0][0])

    def rows(self) -> int:
        """Return how many rows were written."""
        return self.asked(COUNT, table=self.table(self.aside))[0][0]

    def discard(self, name: str = "") -> None:
        """Delete the table that was written aside, or one that a dead run has left."""
        name = name or self.aside
        statements = [DROP.format(table=self.table(name))]
        if self.has_styles:
            statements.append(FORGET_STYLE.format(schema=_text(self.schema), name=_text(name)))
        self.connection.executeSql("; ".join(statements))

    def left_by(self, lives) -> list[str]:
        """Return the tables that runs on this computer have left that no longer live."""
        found = [name for (name,) in self.asked(LEFT, name=_text(_ours()))]
        return [name for name in found if not lives(name.removeprefix(_ours()).partition("_")[0])]

    def clear_leftovers(self, lives) -> None:
        """Delete the tables that runs that were killed have left in the schema."""
        for name in self.left_by(lives):
            self.discard(name)

    def statements(self) -> list[str]:
        """Return what puts the table in place of the earlier one, with its indexes, its sequence and its style."""
        names = {"schema": _text(self.schema), "name": _text(self.name), "aside": _text(self.aside)}
        done = [DROP.format(table=self.table(self.name))]
        done.append(RENAME.format(kind="TABLE", old=self.table(self.aside), new=_quoted(self.name)))
        for old, kind in self.asked(PARTS, name=_text(self.aside)):
            new = self.name + old.removeprefix(self.aside)
            if len(new.encode()) <= LONGEST_NAME:
                done.append(RENAME.format(kind=kind, old=self.table(old), new=_quoted(new)))
        if self.has_styles:
            done += [statement.format(**names) for statement in MOVE_STYLE]
        return done


def _ours() -> str:
    return f"{TABLE_ASIDE}{HERE}_"


def put_in_place(tables: list[DatabaseTable]) -> None:
    """Give tables their names, those of one server in one transaction; earlier ones go.

    Raises
    ------
    TerritoryError
        When a table cannot be replaced; then none of that server is.
    """
    for server in dict.fromkeys(table.server for table in tables):
        mine = [table for table in tables if table.server == server]
        statements = [WAIT, *(statement for table in mine for statement in table.statements())]
        try:
            mine[0].connection.executeSql("; ".join(statements))
        except QgsProviderConnectionException as error:
            raise TerritoryError(
                f"{name_some(table.name for table in mine)} could not be replaced in the database, and what was there "
                f"is unchanged: {_in_short(error)}"
            ) from error


def _in_short(error: Exception) -> str:
    """Return what the database says, without the statement."""
    text = str(error).partition("[ERROR:")[2] or str(error)
    return " ".join(text.rstrip("]\n").split())
