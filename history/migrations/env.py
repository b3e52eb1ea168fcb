"""Alembic's entry: runs the migrations on the connection that `Store.migrate` hands in."""

from typing import Any, Literal

from alembic import context
from sqlmodel import AutoString, SQLModel

import history.mail.tables  # noqa: F401  (fills the metadata, with the tables of models.py that it refers to)


def render_item(kind: str, item: Any, _context: Any) -> str | Literal[False]:
    """Writes SQLModel's text type as the plain one, so that a migration needs SQLAlchemy only."""
    return "sa.String()" if kind == "type" and isinstance(item, AutoString) else False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata,
    render_as_batch=True,
    render_item=render_item,
)
with context.begin_transaction():
    context.run_migrations()
