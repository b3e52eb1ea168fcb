"""Who took part in which chats, and how these were rated, is told by the indexes alone"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

RATED = sa.text("score IS NOT NULL")


def upgrade() -> None:
    with op.batch_alter_table("participant", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_participant_person_id"))
        batch_op.create_index("participant_in_chats", ["role", "person_id", "chat_pk"], unique=False)
    index_ratings(["score", "chat_pk"])


def downgrade() -> None:
    index_ratings(["score"])
    with op.batch_alter_table("participant", schema=None) as batch_op:
        batch_op.drop_index("participant_in_chats")
        batch_op.create_index(batch_op.f("ix_participant_person_id"), ["person_id"], unique=False)


def index_ratings(columns: list[str]) -> None:
    with op.batch_alter_table("thread", schema=None) as batch_op:
        batch_op.drop_index("thread_rated")
        batch_op.create_index("thread_rated", columns, unique=False, sqlite_where=RATED, postgresql_where=RATED)
