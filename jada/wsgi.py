"""The web process. An unsafe or incomplete configuration stops it with a sentence."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "jada.settings")

from django.core.wsgi import get_wsgi_application  # the settings are named first

application = get_wsgi_application()

from jada.checks import refuse_unsafe_start  # after the apps are loaded

refuse_unsafe_start()
