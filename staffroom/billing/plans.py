"""Plans: what words a context gets."""

from uuid import UUID


def begin_free(workspace_id: UUID) -> None:
    """The Free plan's words, from the first moment."""
