"""Files of hosts behind the fence."""

from django.db import migrations

from accounts.tenancy import Fence


class Migration(migrations.Migration):
    dependencies = [("integrations", "0012_host_files")]

    operations = [Fence("FileFormat", "HostFile", "HostFileError", "HostSite")]
