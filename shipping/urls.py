"""Addresses of the pages about jobs."""

from django.urls import path

from shipping.views import commands, help_pages, jobs, labels, preferences, rows, senders

app_name = "shipping"
urlpatterns = [
    path("", jobs.job_list, name="job_list"),
    path("jobs/<int:job_id>/", jobs.job_detail, name="job"),
    path("jobs/<int:job_id>/rows/<int:number>/", rows.row_detail, name="row"),
    path("jobs/<int:job_id>/start/", commands.start, name="start"),
    path("jobs/<int:job_id>/pause/", commands.pause, name="pause"),
    path("jobs/<int:job_id>/check/", commands.check_again, name="check_again"),
    path("jobs/<int:job_id>/cancel/", commands.cancel, name="cancel"),
    path("jobs/<int:job_id>/void/", commands.void_labels, name="void"),
    path("labels/<int:label_id>/", labels.label_file, name="label"),
    path("help/", help_pages.topics, name="help"),
    path("help/<slug:slug>/", help_pages.topic, name="help_page"),
    path("preferences/", preferences.preferences, name="preferences"),
    path("sender/", senders.sender, name="sender"),
]
