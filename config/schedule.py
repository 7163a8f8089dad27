"""When recurring jobs ring, on one screen. Each may run twice, late or not at all for a day."""

from procrastinate import App

from staffroom.billing import jobs as billing
from staffroom.core import ratelimits
from staffroom.knowledge import ingestion as knowledge


def recurring(app: App) -> None:
    app.periodic(cron="*/5 * * * *")(billing.sweep)
    app.periodic(cron="40 * * * *")(ratelimits.forget_old)
    app.periodic(cron="20 3 * * *")(billing.check)
    app.periodic(cron="* * * * *")(billing.hear_again)
    app.periodic(cron="*/5 * * * *")(billing.fold)
    app.periodic(cron="* * * * *")(billing.watch)
    app.periodic(cron="* * * * *")(knowledge.ring_again)
