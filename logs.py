"""How the app logs: one event a line, JSON for machines, colours for a person at a terminal. No personal data, no secrets."""

import logging
import sys

import structlog


def configure(level: str) -> None:
    """Set up structlog, and bring what libraries log to the same stream."""
    renderer: structlog.types.Processor = (
        structlog.dev.ConsoleRenderer() if sys.stderr.isatty() else structlog.processors.JSONRenderer()
    )
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, _error_kind, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=max(logging.getLevelNamesMapping()[level], logging.INFO), stream=sys.stderr)
    # urllib3 names hosts and paths at DEBUG, RQ the arguments of every job at INFO, and Alembic its thoughts: none is news.
    for noisy in ("alembic", "urllib3", "rq.worker", "rq.scheduler"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _error_kind(_logger: object, _name: str, event: structlog.types.EventDict) -> structlog.types.EventDict:
    """Replace an exception by its kind and the places it passed: its text may quote a row, and with it a person."""
    failed = event.pop("exc_info", None)
    if failed:
        _kind, error, trace = sys.exc_info() if failed is True else failed
        places = []
        while trace is not None:
            code = trace.tb_frame.f_code
            places.append(f"{code.co_filename.rsplit('/', 1)[-1]}:{trace.tb_lineno}:{code.co_name}")
            trace = trace.tb_next
        event["error"] = type(error).__name__
        event["trace"] = places[-12:]
    return event


def fault(error: Exception, **context: str) -> None:
    """An error that nobody expected: its kind and where it came from, never its text."""
    structlog.get_logger("laurel").error(
        "fault", exc_info=(type(error), error, error.__traceback__), **context
    )
