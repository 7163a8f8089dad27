"""A person's picture, as other contexts may see it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0002_browsers")]
    operations = [
        migrations.AddField("user", "avatar", models.CharField(blank=True, max_length=40)),
    ]
