"""Who took part in which chats, and how these were rated, is told by the indexes alone"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

RATED = sa.text("score IS NOT NULL")


def upgrade() -> None:
    """What is new is made before what was there goes: on PostgreSQL nobody can read a table from then on."""
    op.create_index("participant_in_chats", "participant", ["role", "person_id", "chat_pk"])
    op.create_index("thread_ratings", "thread", ["score", "chat_pk"], sqlite_where=RATED, postgresql_where=RATED)
    op.drop_index("ix_participant_person_id", "participant")
    op.drop_index("thread_rated", "thread")


def downgrade() -> None:
    op.create_index("ix_participant_person_id", "participant", ["person_id"])
    op.create_index("thread_rated", "thread", ["score"], sqlite_where=RATED, postgresql_where=RATED)
    op.drop_index("participant_in_chats", "participant")
    op.drop_index("thread_ratings", "thread")
