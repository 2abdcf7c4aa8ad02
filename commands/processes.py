"""The three processes of the app: web, worker and cron; and the schema that they stand on."""

import signal
import threading

import click
import structlog
from flask.cli import AppGroup, with_appcontext
from granian.constants import Interfaces
from granian.server import Server
from redis import Redis
from rq import SimpleWorker
from rq.serializers import JSONSerializer
from sqlalchemy.exc import InterfaceError, OperationalError

import tasks
from commands.output import house
from engines import schema
from loyalty import leases
from queues import job_queue

log = structlog.get_logger(__name__)

db = AppGroup("db", help="The database's schema.")


@click.command("run")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=5000, show_default=True)
@click.option("--workers", default=1, show_default=True, help="Processes.")
@click.option(
    "--threads",
    default=64,
    show_default=True,
    help="Requests at once in each process; more than the webhook door takes.",
)
def run(host: str, port: int, workers: int, threads: int) -> None:
    """Serve the web pages, the webhook door and the app proxy (granian)."""
    server = Server(
        "app:create_app",
        address=host,
        port=port,
        interface=Interfaces.WSGI,
        workers=workers,
        blocking_threads=threads,
        factory=True,
        websockets=False,
        log_access=False,
    )
    server.serve()


@click.command("worker")
@click.option("--burst", is_flag=True, help="End when nothing is left to do.")
@with_appcontext
def worker(*, burst: bool) -> None:
    """Carry out jobs, one after the other. Run as many of these as there is work for."""
    # The jobs' module builds its parts from the environment; this process has built them already.
    tasks.use(house())
    # Waiting for work takes longer than the short time limit of everything else.
    redis = Redis.from_url(house().redis_url)
    # SimpleWorker keeps its connections; forking for every job would open the database and Klaviyo anew each time. What a
    # killed worker left behind is looked for every minute instead of every ten, and the sweep does not need even that.
    simple = SimpleWorker(
        [job_queue(redis)],
        connection=redis,
        serializer=JSONSerializer,
        maintenance_interval=60,
        job_monitoring_interval=10,
    )
    simple.work(burst=burst, with_scheduler=not burst, logging_level="WARNING")


@click.command("cron")
@click.option("--once", is_flag=True, help="Ring for what is due now and end.")
@with_appcontext
def cron(*, once: bool) -> None:
    """Ring for periodic work. Any number of these may run: each period is claimed in the database by one of them."""
    stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.set())
    while True:
        try:
            ring_for_periods()
        except (OperationalError, InterfaceError) as error:
            if once:
                raise
            # It comes back, and without this process nothing would be swept up then.
            log.warning("the database does not answer", error=type(error).__name__)
        if once or stop.wait(1.0):
            return


def ring_for_periods() -> None:
    """Claim what is due and ring for it."""
    runtime = house().runtime
    for job, period in tasks.PERIODIC.items():
        with runtime.transaction() as session:
            due = leases.claim_period(session, f"cron:{job}", period=period, now=runtime.clock())
        if due:
            house().bell(job)


@db.command("upgrade")
def upgrade() -> None:
    """Bring the database to the current schema."""
    schema.upgrade(house().runtime.engine)
    click.echo("The database is at the current schema.")


@db.command("check")
def check() -> None:
    """Fail when migrations are missing."""
    if not schema.is_current(house().runtime.engine):
        raise click.ClickException("migrations are missing: run `flask db upgrade`")
    click.echo("The database is at the current schema.")
