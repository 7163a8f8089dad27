"""The wall around conversations, and the indexes of the one queue that the worker reads across all workspaces."""

from django.db import migrations

from staffroom.core.wall import SameWorkspace, Wall

# A running turn writes its draft every second: leave room on the page for the new version, beside the old one.
# Turns end soon, so what waits or runs is a handful of rows among millions.
STORAGE = """
ALTER TABLE chats_turn SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02);
ALTER TABLE chats_chat SET (fillfactor = 80);
CREATE INDEX turns_waiting ON chats_turn (created_at) WHERE state = 'queued';
CREATE INDEX turns_at_work ON chats_turn (created_at) WHERE state = 'running';
"""


class Migration(migrations.Migration):
    dependencies = [("chats", "0001_initial"), ("employees", "0002_wall"), ("workspaces", "0002_wall")]
    operations = [
        Wall("chats_chat"),
        Wall("chats_pause"),
        Wall("chats_turn"),
        Wall("chats_message"),
        SameWorkspace("chats_chat", "employee_id", "employees_employee", on_delete="SET NULL"),
        SameWorkspace("chats_pause", "chat_id", "chats_chat"),
        SameWorkspace("chats_turn", "chat_id", "chats_chat"),
        SameWorkspace("chats_message", "chat_id", "chats_chat"),
        SameWorkspace("chats_message", "turn_id", "chats_turn", on_delete="SET NULL"),
        migrations.RunSQL(STORAGE, "DROP INDEX turns_waiting, turns_at_work"),
    ]
