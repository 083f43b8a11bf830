"""SQLAlchemy: tables made, reflected and dropped, and objects there and back."""

import datetime as dt
import decimal
import uuid

import pandas
import pytest
import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.dialects import postgresql as pg


class Base(orm.DeclarativeBase):
    pass


class Author(Base):
    __tablename__ = "author"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    name: orm.Mapped[str] = orm.mapped_column(sa.String(40), unique=True, comment="as on the cover")
    born: orm.Mapped[dt.date | None]
    key: orm.Mapped[uuid.UUID] = orm.mapped_column(default=uuid.uuid4)
    books: orm.Mapped[list["Book"]] = orm.relationship(back_populates="author", cascade="all, delete-orphan")


class Book(Base):
    __tablename__ = "book"
    __table_args__ = (
        sa.CheckConstraint("price >= 0", name="price_not_negative"),
        sa.Index("book_title", "title"),
        {"comment": "what was written"},
    )
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    author_id: orm.Mapped[int] = orm.mapped_column(sa.ForeignKey("author.id", ondelete="CASCADE"))
    title: orm.Mapped[str] = orm.mapped_column(sa.Text)
    price: orm.Mapped[decimal.Decimal] = orm.mapped_column(sa.Numeric(10, 2), server_default="0")
    added: orm.Mapped[dt.datetime] = orm.mapped_column(sa.DateTime(timezone=True), server_default=sa.func.now())
    details: orm.Mapped[dict] = orm.mapped_column(pg.JSONB, default=dict)
    tags: orm.Mapped[list[str]] = orm.mapped_column(pg.ARRAY(sa.Text), default=list)
    author: orm.Mapped[Author] = orm.relationship(back_populates="books")


@pytest.fixture(scope="module", params=["psycopg", "psycopg2"])
def engine(request):
    engine = sa.create_engine(f"postgresql+{request.param}://")
    yield engine
    engine.dispose()


@pytest.fixture
def tables(engine):
    Base.metadata.create_all(engine)
    yield engine
    Base.metadata.drop_all(engine)
    assert sa.inspect(engine).get_table_names() == []


def test_objects_there_and_back(tables):
    with orm.Session(tables) as session:
        woolf = Author(name="Woolf", born=dt.date(1882, 1, 25))
        woolf.books = [
            Book(title="Orlando", price=decimal.Decimal("9.50"), details={"pages": 134}, tags=["a", "b"]),
            Book(title="The Waves", details={"pages": 324}),
        ]
        session.add_all([woolf, Author(name="Kafka")])
        session.commit()
        key = woolf.key
    with orm.Session(tables) as session:
        woolf = session.scalars(sa.select(Author).where(Author.name == "Woolf")).one()
        assert woolf.key == key and woolf.id == 1
        assert [book.title for book in woolf.books] == ["Orlando", "The Waves"]
        assert woolf.books[0].tags == ["a", "b"] and woolf.books[0].added.tzinfo is not None
        assert woolf.books[1].price == decimal.Decimal("0.00")
        pages = sa.cast(Book.details["pages"].astext, sa.Integer)
        found = session.scalars(sa.select(Book).where(pages > 200).options(orm.joinedload(Book.author))).all()
        assert [(book.title, book.author.name) for book in found] == [("The Waves", "Woolf")]
        per_author = sa.select(Author.name, sa.func.count(Book.id)).outerjoin(Book).group_by(Author.name)
        assert session.execute(per_author.order_by(Author.name)).all() == [("Kafka", 0), ("Woolf", 2)]
        woolf.books[0].title = "Orlando: A Biography"
        woolf.books.pop()
        session.commit()
        loaded = session.scalars(sa.select(Author).options(orm.selectinload(Author.books))).all()
        assert {author.name: len(author.books) for author in loaded} == {"Kafka": 0, "Woolf": 1}
        session.delete(woolf)
        session.commit()
        assert session.scalar(sa.select(sa.func.count()).select_from(Book)) == 0


def test_many_at_once(tables):
    with orm.Session(tables) as session:
        session.add_all([Author(name=f"a{i}") for i in range(2500)])
        session.flush()
        assert session.scalar(sa.select(sa.func.max(Author.id))) == 2500
        session.execute(sa.insert(Author), [{"name": f"b{i}"} for i in range(100)])
        back = session.scalars(sa.insert(Author).returning(Author.name), [{"name": "x"}, {"name": "y"}])
        assert sorted(back) == ["x", "y"]
        upsert = pg.insert(Author).values(name="x", key=uuid.uuid4(), born=dt.date(1900, 1, 1))
        upsert = upsert.on_conflict_do_update(index_elements=["name"], set_={"born": upsert.excluded.born})
        session.execute(upsert)
        assert session.scalar(sa.select(Author.born).where(Author.name == "x")) == dt.date(1900, 1, 1)
        streamed = session.execute(sa.select(Author.id), execution_options={"yield_per": 500})
        assert sum(1 for _ in streamed) == 2602
        session.rollback()


def test_savepoints(tables):
    with orm.Session(tables) as session:
        session.add(Author(name="kept"))
        with pytest.raises(sa.exc.IntegrityError):
            with session.begin_nested():
                session.add(Author(name="kept"))
                session.flush()
        session.commit()
        assert session.scalars(sa.select(Author.name)).all() == ["kept"]


def test_reflection(tables):
    inspector = sa.inspect(tables)
    assert sorted(inspector.get_table_names()) == ["author", "book"]
    columns = {column["name"]: column for column in inspector.get_columns("book")}
    assert isinstance(columns["details"]["type"], pg.JSONB)
    assert isinstance(columns["tags"]["type"], pg.ARRAY)
    assert str(columns["price"]["type"]) == "NUMERIC(10, 2)"
    assert columns["added"]["type"].timezone and columns["added"]["default"] == "now()"
    assert not columns["title"]["nullable"]
    assert inspector.get_pk_constraint("book")["constrained_columns"] == ["id"]
    [foreign] = inspector.get_foreign_keys("book")
    assert foreign["referred_table"] == "author" and foreign["options"] == {"ondelete": "CASCADE"}
    assert inspector.get_unique_constraints("author")[0]["column_names"] == ["name"]
    [check] = inspector.get_check_constraints("book")
    assert check["name"] == "price_not_negative"
    assert inspector.get_table_comment("book") == {"text": "what was written"}
    assert {c["name"]: c["comment"] for c in inspector.get_columns("author")}["name"] == "as on the cover"
    assert "public" in inspector.get_schema_names()
    assert inspector.default_schema_name == "public"


def test_views(tables):
    with tables.begin() as connection:
        connection.execute(sa.text("CREATE VIEW titles AS SELECT title FROM book"))
        connection.execute(sa.text("CREATE MATERIALIZED VIEW counted AS SELECT count(*) AS n FROM book"))
    with tables.begin() as connection:
        inspector = sa.inspect(connection)
        assert inspector.get_view_names() == ["titles"]
        assert inspector.get_materialized_view_names() == ["counted"]
        assert "title" in inspector.get_view_definition("titles")
        assert [column["name"] for column in inspector.get_columns("counted")] == ["n"]
        connection.execute(sa.text("DROP VIEW titles"))
        connection.execute(sa.text("DROP MATERIALIZED VIEW counted"))


def test_pandas(engine):
    frame = pandas.DataFrame(
        {
            "id": [1, 2, 3],
            "name": ["one", None, "three"],
            "price": [1.5, 2.5, float("nan")],
            "at": pandas.to_datetime(["2026-01-01", "2026-01-02", "2026-01-03"]),
            "good": [True, False, True],
        }
    )
    frame.to_sql("frame", engine, index=False)
    frame.to_sql("frame", engine, index=False, if_exists="append", method="multi")
    with pytest.raises(ValueError):
        frame.to_sql("frame", engine)
    back = pandas.read_sql("SELECT DISTINCT * FROM frame ORDER BY id", engine)
    assert list(back.columns) == list(frame.columns)
    assert back["at"].tolist() == frame["at"].tolist() and back["good"].tolist() == [True, False, True]
    assert back["price"].tolist()[:2] == [1.5, 2.5] and back["price"].isna().tolist() == [False, False, True]
    with engine.connect() as connection:
        query = sa.text("SELECT name FROM frame WHERE id > :id")
        assert len(pandas.read_sql(query, connection, params={"id": 1})) == 4
        assert sum(len(part) for part in pandas.read_sql("SELECT * FROM frame", connection, chunksize=2)) == 6
    with engine.begin() as connection:
        connection.execute(sa.text("DROP TABLE frame"))
