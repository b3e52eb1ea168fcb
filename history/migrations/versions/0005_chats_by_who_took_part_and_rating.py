"""Chats can be found by who took part in them, and by how they were rated"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("participant", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_participant_person_id"), ["person_id"], unique=False)

    rated = sa.text("score IS NOT NULL")
    with op.batch_alter_table("thread", schema=None) as batch_op:
        batch_op.create_index("thread_rated", ["score"], unique=False, sqlite_where=rated, postgresql_where=rated)


def downgrade() -> None:
    with op.batch_alter_table("thread", schema=None) as batch_op:
        batch_op.drop_index("thread_rated")

    with op.batch_alter_table("participant", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_participant_person_id"))
