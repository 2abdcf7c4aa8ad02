"""The first tables, and the guard that keeps the ledger append-only whoever holds the connection.

A later migration that builds ``ledger_entry`` anew (SQLite's batch mode does) has to put the guard back.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0001"
down_revision: str | None = None
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

TEXT = sa.String()
INSTANT = sa.DateTime(timezone=True)
POINTS = sa.BigInteger()
# SQLite counts up by itself only in a column that is exactly INTEGER.
BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")

# In the order in which they refer to each other.
TABLES = (
    "inbox",
    "lease",
    "shop",
    "klaviyo_connection",
    "member",
    "oauth_state",
    "program_version",
    "run",
    "ledger_entry",
    "order_standing",
    "outbox",
    "privacy_request",
    "review",
    "reward_issue",
    "run_item",
)

SQLITE_GUARD = (
    """
    CREATE TRIGGER ledger_entry_refuse_update BEFORE UPDATE ON ledger_entry
    BEGIN SELECT RAISE(ABORT, 'a ledger entry is never changed'); END
    """,
    """
    CREATE TRIGGER ledger_entry_refuse_delete BEFORE DELETE ON ledger_entry
    WHEN NOT EXISTS (SELECT 1 FROM shop WHERE shop.id = OLD.shop_id AND shop.erasing_at IS NOT NULL)
    BEGIN SELECT RAISE(ABORT, 'a ledger entry is never removed'); END
    """,
)

POSTGRESQL_GUARD = (
    """
    CREATE FUNCTION ledger_entry_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'DELETE' THEN
            IF EXISTS (SELECT FROM shop WHERE shop.id = OLD.shop_id AND shop.erasing_at IS NOT NULL) THEN
                RETURN OLD;
            END IF;
            RAISE EXCEPTION 'a ledger entry is never removed' USING ERRCODE = 'restrict_violation';
        END IF;
        RAISE EXCEPTION 'a ledger entry is never changed' USING ERRCODE = 'restrict_violation';
    END $$
    """,
    """
    CREATE TRIGGER ledger_entry_refuse_update BEFORE UPDATE OR TRUNCATE ON ledger_entry
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_entry_refuse()
    """,
    """
    CREATE TRIGGER ledger_entry_refuse_delete BEFORE DELETE ON ledger_entry
    FOR EACH ROW EXECUTE FUNCTION ledger_entry_refuse()
    """,
)


def upgrade() -> None:
    _inbox()
    _lease()
    _shop()
    _klaviyo_connection()
    _member()
    _oauth_state()
    _program_version()
    _run()
    _ledger_entry()
    _order_standing()
    _outbox()
    _privacy_request()
    _review()
    _reward_issue()
    _run_item()
    _guard()


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION ledger_entry_refuse()")


def _guard() -> None:
    on_postgresql = op.get_bind().dialect.name == "postgresql"
    for statement in POSTGRESQL_GUARD if on_postgresql else SQLITE_GUARD:
        op.execute(statement)


def _inbox() -> None:
    op.create_table(
        "inbox",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("shop_domain", TEXT, nullable=False),
        sa.Column("source", TEXT, nullable=False),
        sa.Column("delivery_id", TEXT, nullable=False),
        sa.Column("topic", TEXT, nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("error", TEXT),
        sa.Column("received_at", INSTANT, nullable=False),
        sa.Column("due_at", INSTANT, nullable=False),
        sa.Column("finished_at", INSTANT),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inbox")),
        sa.UniqueConstraint(
            "shop_domain", "source", "delivery_id", name=op.f("uq_inbox_shop_domain_source_delivery_id")
        ),
    )
    op.create_index(
        "ix_inbox_due",
        "inbox",
        ["shop_domain", "due_at", "id"],
        postgresql_where=sa.text("state = 'due'"),
        sqlite_where=sa.text("state = 'due'"),
    )
    op.create_index("ix_inbox_shop_domain_id", "inbox", ["shop_domain", "id"])


def _lease() -> None:
    op.create_table(
        "lease",
        sa.Column("name", TEXT, nullable=False),
        sa.Column("holder", TEXT, nullable=False),
        sa.Column("until", INSTANT, nullable=False),
        sa.Column("done_at", INSTANT),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_lease")),
    )


def _shop() -> None:
    op.create_table(
        "shop",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("domain", TEXT, nullable=False),
        sa.Column("shopify_id", BIG_ID),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("contact_email", TEXT),
        sa.Column("currency", TEXT, nullable=False),
        sa.Column("timezone", TEXT, nullable=False),
        sa.Column("plan", TEXT, nullable=False),
        sa.Column("access_token", TEXT),
        sa.Column("access_token_expires_at", INSTANT),
        sa.Column("refresh_token", TEXT),
        sa.Column("refresh_token_expires_at", INSTANT),
        sa.Column("scopes", TEXT, nullable=False),
        sa.Column("needs_reauthorization", sa.Boolean(), nullable=False),
        sa.Column("code_key", TEXT, nullable=False),
        sa.Column("first_installed_at", INSTANT, nullable=False),
        sa.Column("installed_at", INSTANT, nullable=False),
        sa.Column("uninstalled_at", INSTANT),
        sa.Column("erasing_at", INSTANT),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shop")),
        sa.UniqueConstraint("domain", name=op.f("uq_shop_domain")),
    )


def _klaviyo_connection() -> None:
    op.create_table(
        "klaviyo_connection",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("shop_id", BIG_ID, nullable=False),
        sa.Column("road", TEXT, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("problem", TEXT),
        sa.Column("account_id", TEXT),
        sa.Column("last_account_id", TEXT),
        sa.Column("account_name", TEXT, nullable=False),
        sa.Column("access_token", TEXT),
        sa.Column("access_token_expires_at", INSTANT),
        sa.Column("refresh_token", TEXT),
        sa.Column("api_key", TEXT),
        sa.Column("scopes", TEXT, nullable=False),
        sa.Column("webhook_key", TEXT),
        sa.Column("webhook_id", TEXT),
        sa.Column("webhook_secret", TEXT),
        sa.Column("review_cursor", INSTANT),
        sa.Column("details", JSON, nullable=False),
        sa.Column("connected_at", INSTANT, nullable=False),
        sa.Column("disconnected_at", INSTANT),
        sa.Column("last_delivery_at", INSTANT),
        sa.Column("last_error", TEXT),
        sa.Column("last_error_at", INSTANT),
        sa.ForeignKeyConstraint(["shop_id"], ["shop.id"], name=op.f("fk_klaviyo_connection_shop_id_shop")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_klaviyo_connection")),
        sa.UniqueConstraint("account_id", name=op.f("uq_klaviyo_connection_account_id")),
        sa.UniqueConstraint("shop_id", name=op.f("uq_klaviyo_connection_shop_id")),
        sa.UniqueConstraint("webhook_key", name=op.f("uq_klaviyo_connection_webhook_key")),
    )


def _member() -> None:
    op.create_table(
        "member",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("shop_id", BIG_ID, nullable=False),
        sa.Column("shopify_customer_id", BIG_ID),
        sa.Column("email", TEXT),
        sa.Column("first_name", TEXT),
        sa.Column("last_name", TEXT),
        sa.Column("locale", TEXT),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("joined_at", INSTANT),
        sa.Column("customer_updated_at", INSTANT),
        sa.Column("merged_into", BIG_ID),
        sa.Column("balance", POINTS, nullable=False),
        sa.Column("lifetime_earned", POINTS, nullable=False),
        sa.Column("lifetime_spent", POINTS, nullable=False),
        sa.Column("entry_count", sa.Integer(), nullable=False),
        sa.Column("chain_head", TEXT, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(["merged_into"], ["member.id"], name=op.f("fk_member_merged_into_member")),
        sa.ForeignKeyConstraint(["shop_id"], ["shop.id"], name=op.f("fk_member_shop_id_shop")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_member")),
        sa.UniqueConstraint("shop_id", "email", name=op.f("uq_member_shop_id_email")),
        sa.UniqueConstraint(
            "shop_id", "shopify_customer_id", name=op.f("uq_member_shop_id_shopify_customer_id")
        ),
    )
    op.create_index("ix_member_shop_id_balance", "member", ["shop_id", "balance", "id"])
    op.create_index("ix_member_shop_id_id", "member", ["shop_id", "id"])


def _oauth_state() -> None:
    op.create_table(
        "oauth_state",
        sa.Column("state_hash", TEXT, nullable=False),
        sa.Column("shop_id", BIG_ID, nullable=False),
        sa.Column("verifier", TEXT, nullable=False),
        sa.Column("return_to", TEXT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("used_at", INSTANT),
        sa.ForeignKeyConstraint(["shop_id"], ["shop.id"], name=op.f("fk_oauth_state_shop_id_shop")),
        sa.PrimaryKeyConstraint("state_hash", name=op.f("pk_oauth_state")),
    )
    op.create_index(op.f("ix_oauth_state_shop_id"), "oauth_state", ["shop_id"])


def _program_version() -> None:
    op.create_table(
        "program_version",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("shop_id", BIG_ID, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("document", JSON, nullable=False),
        sa.Column("author", TEXT, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shop.id"], name=op.f("fk_program_version_shop_id_shop")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_program_version")),
        sa.UniqueConstraint("shop_id", "version", name=op.f("uq_program_version_shop_id_version")),
    )


def _run() -> None:
    op.create_table(
        "run",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("shop_id", BIG_ID, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("params", JSON, nullable=False),
        sa.Column("cursor", JSON, nullable=False),
        sa.Column("total", sa.Integer()),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("skipped", sa.Integer(), nullable=False),
        sa.Column("error", TEXT),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("started_at", INSTANT),
        sa.Column("finished_at", INSTANT),
        sa.Column("due_at", INSTANT, nullable=False),
        sa.Column("lease_until", INSTANT),
        sa.ForeignKeyConstraint(["shop_id"], ["shop.id"], name=op.f("fk_run_shop_id_shop")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run")),
    )
    op.create_index("ix_run_shop_id_id", "run", ["shop_id", "id"])
    op.create_index(
        "uq_run_open",
        "run",
        ["shop_id", "kind"],
        unique=True,
        postgresql_where=sa.text("state IN ('queued', 'running', 'cancelling')"),
        sqlite_where=sa.text("state IN ('queued', 'running', 'cancelling')"),
    )


def _ledger_entry() -> None:
    op.create_table(
        "ledger_entry",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("shop_id", BIG_ID, nullable=False),
        sa.Column("member_id", BIG_ID, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("points", POINTS, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("source_kind", TEXT, nullable=False),
        sa.Column("source_ref", TEXT, nullable=False),
        sa.Column("rule", TEXT, nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("program_version", sa.Integer(), nullable=False),
        sa.Column("reason", TEXT, nullable=False),
        sa.Column("why", JSON, nullable=False),
        sa.Column("occurred_at", INSTANT, nullable=False),
        sa.Column("recorded_at", INSTANT, nullable=False),
        sa.Column("previous_hash", TEXT, nullable=False),
        sa.Column("hash", TEXT, nullable=False),
        sa.CheckConstraint("points <> 0", name=op.f("ck_ledger_entry_moves_points")),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_ledger_entry_member_id_member")),
        sa.ForeignKeyConstraint(["shop_id"], ["shop.id"], name=op.f("fk_ledger_entry_shop_id_shop")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_entry")),
        sa.UniqueConstraint("member_id", "position", name=op.f("uq_ledger_entry_member_id_position")),
        sa.UniqueConstraint(
            "shop_id", "source_kind", "source_ref", "rule", "sequence", name="uq_ledger_entry_business_key"
        ),
    )
    op.create_index("ix_ledger_entry_shop_id_occurred_at", "ledger_entry", ["shop_id", "occurred_at"])


def _order_standing() -> None:
    op.create_table(
        "order_standing",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("shop_id", BIG_ID, nullable=False),
        sa.Column("order_id", BIG_ID, nullable=False),
        sa.Column("member_id", BIG_ID),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("snapshot", JSON, nullable=False),
        sa.Column("snapshot_at", INSTANT, nullable=False),
        sa.Column("authoritative", sa.Boolean(), nullable=False),
        sa.Column("program_version", sa.Integer()),
        sa.Column("posted", POINTS, nullable=False),
        sa.Column("postings", sa.Integer(), nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["member_id"], ["member.id"], name=op.f("fk_order_standing_member_id_member")
        ),
        sa.ForeignKeyConstraint(["shop_id"], ["shop.id"], name=op.f("fk_order_standing_shop_id_shop")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_order_standing")),
        sa.UniqueConstraint("shop_id", "order_id", name=op.f("uq_order_standing_shop_id_order_id")),
    )
    op.create_index(op.f("ix_order_standing_member_id"), "order_standing", ["member_id"])


def _outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("shop_id", BIG_ID, nullable=False),
        sa.Column("channel", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("unique_id", TEXT, nullable=False),
        sa.Column("member_id", BIG_ID),
        sa.Column("payload", JSON, nullable=False),
        sa.Column("occurred_at", INSTANT, nullable=False),
        sa.Column("backfill", sa.Boolean(), nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", INSTANT, nullable=False),
        sa.Column("lease_until", INSTANT),
        sa.Column("status_code", sa.Integer()),
        sa.Column("error", TEXT),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("finished_at", INSTANT),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_outbox_member_id_member")),
        sa.ForeignKeyConstraint(["shop_id"], ["shop.id"], name=op.f("fk_outbox_shop_id_shop")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        sa.UniqueConstraint(
            "shop_id", "channel", "unique_id", name=op.f("uq_outbox_shop_id_channel_unique_id")
        ),
    )
    op.create_index(
        "ix_outbox_due",
        "outbox",
        ["shop_id", "channel", "due_at", "id"],
        postgresql_where=sa.text("state IN ('due', 'sending')"),
        sqlite_where=sa.text("state IN ('due', 'sending')"),
    )
    op.create_index("ix_outbox_log", "outbox", ["shop_id", "channel", "id"])
    op.create_index("ix_outbox_member_id_id", "outbox", ["member_id", "id"])


def _privacy_request() -> None:
    op.create_table(
        "privacy_request",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("shop_id", BIG_ID, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("request_ref", TEXT, nullable=False),
        sa.Column("member_id", BIG_ID),
        sa.Column("shopify_customer_id", BIG_ID),
        sa.Column("received_at", INSTANT, nullable=False),
        sa.Column("completed_at", INSTANT),
        sa.ForeignKeyConstraint(
            ["member_id"], ["member.id"], name=op.f("fk_privacy_request_member_id_member")
        ),
        sa.ForeignKeyConstraint(["shop_id"], ["shop.id"], name=op.f("fk_privacy_request_shop_id_shop")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_privacy_request")),
        sa.UniqueConstraint(
            "shop_id", "kind", "request_ref", name=op.f("uq_privacy_request_shop_id_kind_request_ref")
        ),
    )


def _review() -> None:
    op.create_table(
        "review",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("shop_id", BIG_ID, nullable=False),
        sa.Column("review_id", TEXT, nullable=False),
        sa.Column("member_id", BIG_ID),
        sa.Column("email", TEXT),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("rating", sa.Integer()),
        sa.Column("verified", sa.Boolean(), nullable=False),
        sa.Column("has_media", sa.Boolean(), nullable=False),
        sa.Column("status", TEXT, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("reason", TEXT, nullable=False),
        sa.Column("submitted_at", INSTANT, nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_review_member_id_member")),
        sa.ForeignKeyConstraint(["shop_id"], ["shop.id"], name=op.f("fk_review_shop_id_shop")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_review")),
        sa.UniqueConstraint("shop_id", "review_id", name=op.f("uq_review_shop_id_review_id")),
    )
    op.create_index("ix_review_shop_id_email", "review", ["shop_id", "email"])
    op.create_index("ix_review_shop_id_id", "review", ["shop_id", "id"])


def _reward_issue() -> None:
    op.create_table(
        "reward_issue",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("shop_id", BIG_ID, nullable=False),
        sa.Column("member_id", BIG_ID, nullable=False),
        sa.Column("request_key", TEXT, nullable=False),
        sa.Column("reward", TEXT, nullable=False),
        sa.Column("title", TEXT, nullable=False),
        sa.Column("points", POINTS, nullable=False),
        sa.Column("amount", TEXT, nullable=False),
        sa.Column("currency", TEXT, nullable=False),
        sa.Column("minimum_subtotal", TEXT),
        sa.Column("program_version", sa.Integer(), nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("code", TEXT),
        sa.Column("discount_id", TEXT),
        sa.Column("failure", TEXT),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("issued_at", INSTANT),
        sa.Column("expires_at", INSTANT),
        sa.Column("used_at", INSTANT),
        sa.Column("used_order_id", BIG_ID),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_reward_issue_member_id_member")),
        sa.ForeignKeyConstraint(["shop_id"], ["shop.id"], name=op.f("fk_reward_issue_shop_id_shop")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reward_issue")),
        sa.UniqueConstraint("member_id", "request_key", name=op.f("uq_reward_issue_member_id_request_key")),
        sa.UniqueConstraint("shop_id", "code", name=op.f("uq_reward_issue_shop_id_code")),
    )
    op.create_index("ix_reward_issue_member_id_created_at", "reward_issue", ["member_id", "created_at"])


def _run_item() -> None:
    op.create_table(
        "run_item",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("run_id", BIG_ID, nullable=False),
        sa.Column("member_id", BIG_ID),
        sa.Column("subject", TEXT, nullable=False),
        sa.Column("outcome", TEXT, nullable=False),
        sa.Column("reason", TEXT, nullable=False),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_run_item_member_id_member")),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_run_item_run_id_run")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run_item")),
    )
    op.create_index("uq_run_item_subject", "run_item", ["run_id", "subject"], unique=True)
