"""When recurring jobs ring, on one screen. Each may run twice, late or not at all for a day."""

from procrastinate import App

from staffroom.archives import sweeping as archives
from staffroom.billing import jobs as billing
from staffroom.chats import tally as chats
from staffroom.core import ratelimits
from staffroom.knowledge import ingestion as knowledge
from staffroom.workspaces import erasing


def recurring(app: App) -> None:
    app.periodic(cron="*/5 * * * *")(billing.sweep)
    app.periodic(cron="40 * * * *")(ratelimits.forget_old)
    app.periodic(cron="20 3 * * *")(billing.check)
    app.periodic(cron="* * * * *")(billing.hear_again)
    app.periodic(cron="*/5 * * * *")(billing.fold)
    app.periodic(cron="* * * * *")(billing.watch)
    app.periodic(cron="* * * * *")(knowledge.ring_again)
    app.periodic(cron="* * * * *")(archives.sweep)
    app.periodic(cron="*/5 * * * *")(chats.tally)
    app.periodic(cron="* * * * *")(erasing.ring_again)
