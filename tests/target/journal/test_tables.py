from __future__ import annotations

import sqlalchemy as sa

from target_mailing.journal import tables

EVERYTHING = "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY name"


def made(make):
    engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
    with engine.connect() as connection:
        make(connection)
        found = connection.exec_driver_sql(EVERYTHING).fetchall()
    engine.dispose()
    return found


def test_the_tables_are_those_that_sqlalchemy_would_make():
    assert made(tables.make) == made(tables.metadata.create_all) != []


def test_a_table_that_is_missing_is_made_and_the_others_stay():
    def twice(connection):
        tables.make(connection)
        connection.exec_driver_sql("INSERT INTO meta VALUES ('kept', '')")
        connection.exec_driver_sql("DROP TABLE names")
        tables.make(connection)
        assert connection.exec_driver_sql("SELECT name FROM meta").scalar() == "kept"

    assert made(twice) == made(tables.make)
