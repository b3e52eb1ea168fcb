"""The floor plan: settings, wiring, and the `stillhere` command. Nobody imports this but the server and the command."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

import click
from flask import Flask, request
from flask_sock import Sock
from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError
from werkzeug.middleware.proxy_fix import ProxyFix

import history.cli
import history.mail.cli
import history.mail.receive.cli
import history.mail.routes
import history.routes
import resume.live.socket
import resume.live.sync
import resume.pages
import resume.routes
import search.cli
import search.desk.pages
import search.doctor
import search.routes
from history import journal, outbox_page
from history.access import Viewer
from history.agents import add_agent, agent_of, new_sign_in
from history.away import away_watch
from history.bus import MemoryBus, PostgresBus
from history.db import Store
from history.errors import StillhereError, Unauthorized
from history.idle import idle_watch
from history.keys import read_or_make_key
from history.mail.addresses import MailAddresses
from history.mail.cli import Post
from history.mail.limits import MailLimits
from history.mail.options import MailOptions
from history.mail.prepare import House
from history.mail.receive import originals
from history.mail.receive.answers import Rules
from history.mail.receive.receiver import Receiver
from history.mail.restored import LastMail
from history.mail.send import Carrier, Files
from history.mail.smtp import Connection
from history.mail.unread import unread_watch
from history.mail.worker import Habits, MailWorker
from history.outbox import MailPolicy
from history.serving import Part, Server
from history.times import DAY_MS, SECOND_MS, now_ms
from history.watch import Watch
from history.writer import Answer, Writer, only_answer
from history.wsgi import answer_errors, check_same_origin
from resume.links import Links
from resume.live.admission import AdmissionLimits
from resume.live.connection import Limits
from resume.live.conversation import TalkLimits
from resume.live.handover import SOCK_SERVER_OPTIONS
from resume.live.hub import Hub
from resume.sessions import Sessions
from resume.tokens import Tokens
from search.choosing import Choice, EngineName, engine_maker, engine_name, reason_against
from search.desk.pages import COOKIE as DESK_COOKIE
from search.indexer import Indexer
from search.shelf import Shelf

BODY_BYTES = 128 * 1024

DEMO = {"brand": "Marlow & Finch", "settle_seconds": 10}
"""What the demo sets differently, unless it is set already."""

DEMO_AGENT = ("Robin", "robin@localhost.example")


class Settings(MailOptions, BaseSettings):
    """Everything that can be set, from environment variables with the prefix STILLHERE_. Mistakes stop the start."""

    model_config = SettingsConfigDict(env_prefix="STILLHERE_", frozen=True)

    brand: str = Field("Stillhere", description="The name that customers see on pages and mails")
    host: str = Field("127.0.0.1", description="The address to listen on")
    port: int = Field(8000, ge=1, le=65535, description="The port to listen on")
    public_url: str = Field("", description="Where people reach the service; empty: http://localhost:PORT")
    allowed_origins: frozenset[str] = Field(
        frozenset(),
        description="Other people's pages that may frame the widget and open sockets, as a JSON list",
    )
    instance_path: Path = Field(Path("instance"), description="The folder for database, index, key and outbox")
    database_url: str = Field("", description="PostgreSQL's or SQLite's URL; empty: a SQLite file in the folder")
    secret_keys: tuple[str, ...] = Field(
        (),
        description="Keys that sign resume tokens, newest first, as a JSON list; empty: a key file in the folder",
    )
    workers: int = Field(1, ge=1, description="Serving processes; more than one needs PostgreSQL")
    threads: int = Field(8, ge=2, description="Request threads a process; sockets need none")
    max_connections: int = Field(12_000, ge=1, description="Live connections a process")
    session_days: int = Field(400, ge=1, description="How long a device's access lives after it was last used")
    link_days: int = Field(30, ge=1, description="How long a mail's link works")
    settle_seconds: int = Field(180, ge=0, le=3600, description="How long after a chat's end its transcript is mailed")
    agent_away_seconds: int = Field(600, ge=1, description="How long an agent may be away before chats wait again")
    idle_warn_seconds: int = Field(
        0, ge=0, description="After how much quiet behind an agent's word a chat warns that it will close; 0: never"
    )
    idle_close_seconds: int = Field(300, ge=1, description="How long after that warning the chat closes")
    messages_per_second: float = Field(5, gt=0, description="Messages a device may send, in the long run")
    messages_burst: int = Field(20, ge=1, description="Messages a device may send at once")
    frames_per_second: float = Field(20, gt=0, description="Frames a connection may send, in the long run")
    frames_burst: int = Field(100, ge=1, description="Frames a connection may send at once")
    hellos_per_second: float = Field(50, ge=1, description="Connections a process lets in, a second")
    strangers_per_address: int = Field(
        20, ge=1, description="Connections an address may have that have not said who they are"
    )
    connections_per_session: int = Field(5, ge=1, description="Connections a customer's device may have")
    search_engine: Choice = Field(
        "auto",
        description="What searches: whoosh, postgres or tantivy; auto: postgres on PostgreSQL, whoosh on SQLite",
    )
    trusted_proxies: int = Field(
        0, ge=0, description="Proxies in front that tell the client's address, host and scheme in X-Forwarded headers"
    )
    heartbeat_seconds: float = Field(20, gt=0, description="How often the server pings")

    @field_validator("public_url")
    @classmethod
    def check_public_url(cls, value: str) -> str:
        parts = urlsplit(value)
        if value and (parts.scheme not in ("http", "https") or not parts.netloc or parts.path not in ("", "/")):
            raise ValueError("must be an address such as https://chat.example.com")
        return value.rstrip("/")

    @field_validator("secret_keys")
    @classmethod
    def check_secret_keys(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if any(len(key) < 32 for key in value):
            raise ValueError("each key must have at least 32 characters")
        return value

    @field_validator("database_url")
    @classmethod
    def check_database_url(cls, value: str) -> str:
        if value and not value.startswith(("sqlite:///", "postgresql://", "postgresql+psycopg://")):
            raise ValueError("must begin with postgresql:// or sqlite:///")
        return value

    @property
    def url(self) -> str:
        return self.public_url or f"http://localhost:{self.port}"

    @property
    def database(self) -> str:
        return self.database_url or f"sqlite:///{self.instance_path.absolute() / 'stillhere.db'}"

    @property
    def is_sqlite(self) -> bool:
        return self.database.startswith("sqlite")

    @property
    def engine(self) -> EngineName:
        return engine_name(self.search_engine, self.is_sqlite)


@dataclass(frozen=True)
class Service:
    """What one process is made of. Made once in the process that serves, then started."""

    settings: Settings

    @cached_property
    def store(self) -> Store:
        return Store(self.settings.database)

    @cached_property
    def policy(self) -> MailPolicy:
        domain = self.settings.mail_from.rpartition("@")[2]
        limits = MailLimits(from_network=self.settings.mails_per_network)
        return MailPolicy(self.settings.settle_seconds * SECOND_MS, domain, limits, self.settings.smtp_utf8)

    @cached_property
    def bus(self) -> MemoryBus:
        if self.settings.is_sqlite:
            return MemoryBus()
        return PostgresBus(self.store.url.set(drivername="postgresql").render_as_string(hide_password=False))

    @cached_property
    def writer(self) -> Writer:
        return Writer(self.store, journal.writing(self.policy), self.committed)

    def committed(self, commits: list[journal.Commit], answers: list[Answer]) -> None:
        self.hub.committed(commits, answers)

    @cached_property
    def sessions(self) -> Sessions:
        return Sessions(Tokens(list(self.keys)), self.settings.session_days)

    @cached_property
    def keys(self) -> tuple[str, ...]:
        return self.settings.secret_keys or (read_or_make_key(self.settings.instance_path),)

    @cached_property
    def mail_addresses(self) -> MailAddresses:
        settings = self.settings
        return MailAddresses(self.keys, settings.mail_from, settings.reply_address, settings.bounce_address)

    @cached_property
    def links(self) -> Links:
        return Links(self.settings.url, self.settings.link_days, self.sessions)

    @cached_property
    def hub(self) -> Hub:
        limits = TalkLimits(
            self.settings.messages_per_second,
            self.settings.messages_burst,
            self.settings.frames_per_second,
            self.settings.frames_burst,
            self.settings.heartbeat_seconds,
        )
        return Hub(
            self.store,
            self.writer,
            self.bus,
            self.sessions,
            limits,
            AdmissionLimits(
                self.settings.hellos_per_second,
                self.settings.strangers_per_address,
                self.settings.connections_per_session,
            ),
            Limits(),
        )

    @cached_property
    def engine(self) -> Shelf:
        return Shelf(self.store, engine_maker(self.settings.engine, self.store, self.settings.instance_path))

    @cached_property
    def indexer(self) -> Indexer:
        return Indexer(self.store, self.writer, self.bus, self.engine)

    @cached_property
    def house(self) -> House:
        settings = self.settings
        return House(
            settings.brand,
            self.policy.domain,
            settings.url,
            self.mail_addresses,
            self.links.create,
            self.links.create_code,
            settings.link_days * DAY_MS,
            settings.postal_address,
            settings.privacy_url,
        )

    @cached_property
    def files(self) -> Files:
        return Files(self.settings.instance_path / "outbox")

    def open_carrier(self) -> Carrier:
        """A way out for mails: a connection to the mail server, or the folder where none is set."""
        settings = self.settings
        if not settings.smtp_host:
            return self.files
        return Connection(settings.smtp(self.policy.domain))

    @cached_property
    def mail(self) -> MailWorker:
        settings = self.settings
        if settings.smtp_host:
            habits = Habits(settings.mail_in_doubt, last_mail=LastMail(settings.instance_path / "last-mail"))
        else:
            habits = Habits(evidence=self.files.evidence)  # written again, it is the same file
        return MailWorker(self.store, self.writer, self.house, self.open_carrier, habits)

    @cached_property
    def receiver(self) -> Receiver:
        return self.receiver_with(self.writer)

    def receiver_with(self, writer: Writer) -> Receiver:
        rules = Rules(self.mail_addresses, self.settings.replies_trust, self.policy)
        return Receiver(self.store, writer, rules, self.settings.brand, self.settings.url)

    @cached_property
    def doors_for_mail(self) -> tuple[Part, ...]:
        """Where mails come in. Each needs packages that are here only if they are wanted."""
        settings, doors = self.settings, list[Part]()
        if settings.replies_listen:
            from history.mail.receive.listener import Listener

            doors.append(Listener(self.receiver, settings.replies_listen, self.policy.domain))
        if settings.imap_host:
            from history.mail.receive.mailbox import mailbox_watch

            doors.append(mailbox_watch(self.receiver, settings.mailbox()))
        return tuple(doors)

    @cached_property
    def watches(self) -> tuple[Watch, ...]:
        """The rules that act by themselves, as far as they are wanted."""
        settings = self.settings
        watches = [
            away_watch(self.store, self.writer, settings.agent_away_seconds),
            originals.forgetting_watch(self.writer),
        ]
        if settings.idle_warn_seconds:
            rule = settings.idle_warn_seconds, settings.idle_close_seconds
            watches.append(idle_watch(self.store, self.writer, *rule))
        if settings.away_mail_seconds:
            watches.append(unread_watch(self.store, self.writer, self.policy, settings.away_mail_seconds))
        return tuple(watches)

    def start(self) -> None:
        parts: tuple[Part, ...] = (self.writer, self.hub, self.indexer, self.bus, self.mail)
        for part in (*parts, *self.watches, *self.doors_for_mail):
            part.start()

    def stop(self) -> None:
        """In the reverse order, so that nobody misses what it still needs."""
        parts: tuple[Part, ...] = (self.mail, self.bus, self.indexer, self.hub, self.writer)
        for part in (*self.doors_for_mail, *self.watches, *parts):
            part.stop()
        self.engine.close()
        self.store.close()

    def identify(self) -> Viewer:
        """Who makes this request. Raises Unauthorized."""
        agent = self.agent_here()
        if agent is not None:
            return agent
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() != "bearer":
            raise Unauthorized("Send a resume token or an API key as `Authorization: Bearer`")
        with self.store.reading() as driver:
            return self.sessions.viewer_of(driver, token.strip(), now_ms())

    def agent_here(self) -> Viewer | None:
        """The agent who makes this request, by API key or cookie; null if it is no agent's."""
        kind, _, secret = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() == "bearer":
            if not secret.startswith("sk_"):
                return None
            with self.store.reading() as driver:
                return agent_of(driver, "key", secret.strip(), now_ms())
        cookie = request.cookies.get(DESK_COOKIE)
        if not cookie:
            return None
        check_same_origin()
        try:
            with self.store.reading() as driver:
                return agent_of(driver, "browser", cookie, now_ms())
        except Unauthorized:
            return None  # an old cookie of the desk must not keep the same browser's customer out


def create_app(settings: Settings, *, demo: bool = False) -> tuple[Flask, Service]:
    """The WSGI application and the service behind it, which is not started yet."""
    service = Service(settings)
    app = Flask(__name__, static_folder=None)
    if proxies := settings.trusted_proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, proxies, proxies, proxies)  # type: ignore[method-assign]
    app.config.update(MAX_CONTENT_LENGTH=BODY_BYTES, SOCK_SERVER_OPTIONS=SOCK_SERVER_OPTIONS)
    answer_errors(app)
    sock = Sock()
    frames = " ".join(("'self'", *sorted(settings.allowed_origins)))
    secure = settings.url.startswith("https:")
    store, writer, identify = service.store, service.writer, service.identify
    check_pace = service.hub.check_pace
    door = partial(
        resume.live.socket.check_door,
        service.hub,
        settings.allowed_origins,
        settings.max_connections,
        service.agent_here,
    )
    for blueprint in (
        history.routes.make_blueprint(store, writer, settings.brand, identify, check_pace),
        history.mail.routes.make_blueprint(store, writer, service.policy, settings.brand, identify),
        resume.routes.make_blueprint(
            store, writer, service.policy, service.sessions, service.links, identify, check_pace
        ),
        resume.live.socket.make_blueprint(sock, service.hub, door),
        resume.live.sync.make_blueprint(service.hub, door),
        resume.pages.make_blueprint(settings.brand, frames, demo),
        search.routes.make_blueprint(store, service.engine, identify),
        search.desk.pages.make_blueprint(store, writer, service.engine, settings.brand, secure, identify),
        originals.make_blueprint(store, service.receiver, identify),
        outbox_page.make_blueprint(store, settings.instance_path / "outbox"),
    ):
        app.register_blueprint(blueprint)
    return app, service


def read_settings(**changes: Any) -> Settings:
    """The settings from the environment, with `changes` over them. A mistake ends the command with its name."""
    try:
        settings = Settings(**changes)
    except ValidationError as error:
        fail("\n".join(f"STILLHERE_{str(e['loc'][0]).upper()}: {e['msg']}" for e in error.errors()))
    except SettingsError as error:  # the field's name is all that the message has of use
        name = re.search(r'"(\w+)"', str(error))
        fail(f"STILLHERE_{name[1].upper() if name else '?'}: must be a JSON list of texts")
    if settings.is_sqlite and settings.workers > 1:
        fail("STILLHERE_WORKERS: SQLite serves from one process; set STILLHERE_DATABASE_URL to PostgreSQL for more")
    if reason := reason_against(settings.engine, settings.is_sqlite):
        fail(f"STILLHERE_SEARCH_ENGINE: {reason}")
    return settings


def fail(reason: str) -> NoReturn:
    click.echo(f"stillhere cannot start:\n{reason}", err=True)
    sys.exit(2)


def prepare(settings: Settings) -> None:
    """Makes the folder and brings the database up to date."""
    settings.instance_path.mkdir(mode=0o700, parents=True, exist_ok=True)
    store = Store(settings.database)
    store.migrate()
    store.close()


@contextmanager
def open_writer(settings: Settings) -> Iterator[Writer]:
    """A writer for a command, on a database that is up to date. Followers of a running server find what it writes."""
    prepare(settings)
    store = Store(settings.database)
    policy = Service(settings).policy
    writer = Writer(store, partial(journal.apply, policy), only_answer)
    writer.start()
    try:
        yield writer
    finally:
        writer.stop()
        store.close()


def open_post() -> Post:
    """What the commands about mail need."""
    settings = read_settings()
    prepare(settings)
    service = Service(settings)
    return Post(service.house, service.open_carrier, settings.smtp_host, service.store)


@contextmanager
def open_receiver() -> Iterator[Receiver]:
    """The way in for mails, beside a running server or without one."""
    settings = read_settings()
    with open_writer(settings) as writer:
        service = Service(settings)
        try:
            yield service.receiver_with(writer)
        finally:
            service.store.close()


@contextmanager
def open_index(settings: Settings) -> Iterator[search.cli.Index]:
    """The search index for a command, beside a running server or without one."""
    with open_writer(settings) as writer:
        service = Service(settings)
        try:
            yield search.cli.Index(service.store, writer, service.engine)
        finally:
            service.engine.close()
            service.store.close()


@contextmanager
def open_patient() -> Iterator[search.doctor.Patient]:
    settings = read_settings()
    given = [f"STILLHERE_{name.upper()}" for name in settings.model_fields_set]
    with open_index(settings) as index:
        yield search.doctor.Patient(given, settings.instance_path, settings.search_engine, settings.engine, index)


def serve_with(settings: Settings, *, demo: bool, greeting: str) -> None:
    prepare(settings)
    options = {
        "bind": f"{settings.host}:{settings.port}",
        "workers": settings.workers,
        "threads": settings.threads,
        "worker_connections": settings.max_connections,
    }
    Server(options, lambda: create_app(settings, demo=demo), lambda: click.echo(greeting)).run()


class Commands(click.Group):
    """The `stillhere` command. A refusal is one sentence, not a stack of frames."""

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except StillhereError as error:
            raise click.ClickException(error.detail) from error


@click.group(cls=Commands)
@click.version_option(history.__version__)
def stillhere() -> None:
    """Chat that is never lost."""


@stillhere.command()
@click.option("--port", type=int, help="Instead of STILLHERE_PORT.")
def serve(port: int | None) -> None:
    """Serve the chat, with indexing and mail in the same process."""
    settings = read_settings(**({"port": port} if port else {}))
    serve_with(settings, demo=False, greeting=f"Stillhere serves at {settings.url}")


@stillhere.command()
@click.option("--port", type=int, help="Instead of STILLHERE_PORT.")
def demo(port: int | None) -> None:
    """Serve a shop page with the widget, a desk, and mails that go to a local page."""
    given = Settings.model_fields.keys() & read_settings().model_fields_set
    wanted = {"port": port, **{name: value for name, value in DEMO.items() if name not in given}}
    settings = read_settings(**{name: value for name, value in wanted.items() if value is not None})
    with open_writer(settings) as writer:
        agent_id = writer.write(lambda transaction: add_agent(transaction, *DEMO_AGENT))
        secret = writer.write(lambda transaction: new_sign_in(transaction, agent_id))
    greeting = (
        f"\n  The shop, with the chat in its corner   {settings.url}/demo"
        f"\n  The desk, signs you in once             {settings.url}/desk/sign-in#{secret}"
        f"\n  The outbox, where mails arrive          {settings.url}/outbox\n"
    )
    serve_with(settings, demo=True, greeting=greeting)


def main() -> None:
    """The entry point of the `stillhere` command."""
    commands = history.cli.make_commands(lambda: open_writer(read_settings()), lambda: read_settings().url)
    for command in commands + search.cli.make_commands(lambda: open_index(read_settings())):
        stillhere.add_command(command)
    mail = history.mail.cli.make_command(open_post)
    mail.add_command(history.mail.receive.cli.make_command(open_receiver))
    stillhere.add_command(mail)
    stillhere.add_command(search.doctor.make_command(open_patient))
    stillhere()


if __name__ == "__main__":
    main()
