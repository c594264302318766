"""Every address of the application. Guest pages are not here: they are files on the public brand's host."""

from django.contrib import admin
from django.urls import include, path, re_path
from django.views.decorators.csrf import csrf_exempt
from django.views.generic import RedirectView

from jada import api, health, metrics

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", admin.site.urls),
    path("crew/", include("crew.urls")),
    path("api/", api.urls()),
    re_path(r"^api/.*", csrf_exempt(api.not_found)),
    path("health/live", health.live),
    path("health/ready", health.ready),
    path("metrics", metrics.metrics),
]

handler400 = "jada.api.bad_request"
handler500 = "jada.api.server_error"
