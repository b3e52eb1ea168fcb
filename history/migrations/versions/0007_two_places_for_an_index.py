"""A search index is made beside the one that is searched; what cannot be indexed is set aside"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    state = op.create_table(
        "index_state",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("place", sa.String(), nullable=False),
        sa.Column("whole", sa.Boolean(), nullable=False),
        sa.Column("wanted", sa.Integer(), nullable=False),
        sa.Column("made", sa.Integer(), nullable=False),
        sa.Column("done", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    first = {"id": 1, "place": "a", "whole": False, "wanted": 0, "made": 0, "done": 0, "total": 0}
    op.bulk_insert(state, [first])
    op.create_table(
        "index_set_aside",
        sa.Column("chat_pk", sa.BigInteger(), nullable=False),
        sa.Column("stream", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("chat_pk", "stream", "seq"),
    )


def downgrade() -> None:
    op.drop_table("index_set_aside")
    op.drop_table("index_state")
