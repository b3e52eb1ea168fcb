"""Mail that can be answered, that bounces, and that is sent to whom the address belongs"""

import hashlib

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

BIG_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

NEW_TABLES = ("mail_pause", "mail_suppression", "mail_inbound", "mail_reply_token", "mail_event")
NEW_TEXTS = {"recipient_hash": "", "domain": "", "proof": "typed", "network": ""}
NEW_COLUMNS = ("from_seq", "upto_seq", *NEW_TEXTS, "bounce_token", "secret_hash", "expires_ms", "digest")


def upgrade() -> None:
    with op.batch_alter_table("customer", schema=None) as batch_op:
        batch_op.add_column(sa.Column("email_proof", sa.String(), nullable=False, server_default="typed"))
        batch_op.add_column(sa.Column("network", sa.String(), nullable=False, server_default=""))
    with op.batch_alter_table("outbox_item", schema=None) as batch_op:
        for name, value in NEW_TEXTS.items():
            batch_op.add_column(sa.Column(name, sa.String(), nullable=False, server_default=value))
        for name in ("from_seq", "upto_seq", "expires_ms"):
            batch_op.add_column(sa.Column(name, sa.BigInteger(), nullable=True))
        for name in ("bounce_token", "secret_hash", "digest"):
            batch_op.add_column(sa.Column(name, sa.String(), nullable=True))
    fill_old_items()
    with op.batch_alter_table("outbox_item", schema=None) as batch_op:
        batch_op.alter_column("bounce_token", existing_type=sa.String(), nullable=False)
        batch_op.create_unique_constraint("outbox_item_bounce_token_key", ["bounce_token"])
        batch_op.create_unique_constraint("outbox_item_secret_hash_key", ["secret_hash"])
        batch_op.create_index("outbox_sent_to", ["recipient_hash", "created_ms"], unique=False)
    create_tables()


def fill_old_items() -> None:
    """Old items get what they would have now; nothing can bounce to their tokens, which nobody has been told."""
    connection = op.get_bind()
    connection.execute(sa.text("UPDATE outbox_item SET bounce_token = id"))
    for id, recipient in connection.execute(
        sa.text("SELECT id, recipient FROM outbox_item WHERE recipient <> ''")
    ).all():
        digest = hashlib.sha256(recipient.lower().encode()).hexdigest()[:16]
        values = {"hash": digest, "domain": recipient.rpartition("@")[2].lower(), "id": id}
        fill = "UPDATE outbox_item SET recipient_hash = :hash, domain = :domain WHERE id = :id"
        connection.execute(sa.text(fill), values)


def create_tables() -> None:
    op.create_table(
        "mail_event",
        sa.Column("pk", BIG_KEY, autoincrement=True, nullable=False),
        sa.Column("item_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("detail", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["item_id"], ["outbox_item.id"]),
        sa.PrimaryKeyConstraint("pk"),
    )
    op.create_index("ix_mail_event_item_id", "mail_event", ["item_id"], unique=False)
    op.create_table(
        "mail_reply_token",
        sa.Column("hash", sa.String(), nullable=False),
        sa.Column("chat_pk", sa.BigInteger(), nullable=False),
        sa.Column("item_id", sa.String(), nullable=False),
        sa.Column("recipient_hash", sa.String(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("revoked_ms", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["item_id"], ["outbox_item.id"]),
        sa.PrimaryKeyConstraint("hash"),
    )
    op.create_index("ix_mail_reply_token_chat_pk", "mail_reply_token", ["chat_pk"], unique=False)
    op.create_index("ix_mail_reply_token_item_id", "mail_reply_token", ["item_id"], unique=False)
    op.create_table(
        "mail_inbound",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("dedup_key", sa.String(), nullable=False),
        sa.Column("chat_pk", sa.BigInteger(), nullable=True),
        sa.Column("item_id", sa.String(), nullable=True),
        sa.Column("verdict", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("event_seq", sa.BigInteger(), nullable=True),
        sa.Column("sender", sa.String(), nullable=False),
        sa.Column("message_id", sa.String(), nullable=False),
        sa.Column("received_ms", sa.BigInteger(), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=True),
        sa.Column("raw_until_ms", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["chat_pk"], ["chat.pk"]),
        sa.ForeignKeyConstraint(["item_id"], ["outbox_item.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("dedup_key"),
    )
    op.create_index("ix_mail_inbound_chat_pk", "mail_inbound", ["chat_pk"], unique=False)
    op.create_index("ix_mail_inbound_raw_until_ms", "mail_inbound", ["raw_until_ms"], unique=False)
    op.create_table(
        "mail_suppression",
        sa.Column("recipient_hash", sa.String(), nullable=False),
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("since_ms", sa.BigInteger(), nullable=False),
        sa.Column("until_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("recipient_hash", "scope"),
    )
    op.create_table(
        "mail_pause",
        sa.Column("domain", sa.String(), nullable=False),
        sa.Column("until_ms", sa.BigInteger(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("domain"),
    )


def downgrade() -> None:
    for name in NEW_TABLES:
        op.drop_table(name)
    with op.batch_alter_table("outbox_item", schema=None) as batch_op:
        batch_op.drop_index("outbox_sent_to")
        batch_op.drop_constraint("outbox_item_bounce_token_key", type_="unique")
        batch_op.drop_constraint("outbox_item_secret_hash_key", type_="unique")
        for name in NEW_COLUMNS:
            batch_op.drop_column(name)
    with op.batch_alter_table("customer", schema=None) as batch_op:
        batch_op.drop_column("network")
        batch_op.drop_column("email_proof")
