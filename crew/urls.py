"""The addresses of the crew portal, all under /crew/."""

from django.urls import path

from crew import views

app_name = "crew"
urlpatterns = [
    path("", views.trips, name="trips"),
    path("event/<slug:event_id>", views.trip, name="trip"),
    path("event/<slug:event_id>/confirm", views.confirm, name="confirm"),
    path("event/<slug:event_id>/answer", views.answer, name="answer"),
    path("event/<slug:event_id>/task/<int:item_id>", views.tick, name="tick"),
    path("link", views.ask_link, name="ask_link"),
    path("link/asked", views.link_asked, name="link_asked"),
    path("declined", views.declined, name="declined"),
    path("leave", views.leave, name="leave"),
]
