from django.apps import AppConfig


class CoreConfig(AppConfig):
    name = "staffroom.core"
    label = "core"

    def ready(self) -> None:
        """The queue's app stands by now; jobs that were loaded any earlier would be registered with a stand-in."""
        from procrastinate.contrib.django import app

        from .names import called

        for ring in called("QUEUE_READY"):
            ring(app)
