"""Addresses of the pages about jobs."""

from django.urls import path

from shipping.views import (
    commands,
    help_pages,
    jobs,
    label_sheets,
    labels,
    preferences,
    results,
    rows,
    search,
    senders,
    upload_new,
    uploads,
    voids,
)

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
    path("jobs/<int:job_id>/labels/", label_sheets.label_sheets, name="label_sheets"),
    path("jobs/<int:job_id>/labels/part.pdf", label_sheets.label_sheet, name="label_sheet"),
    path("jobs/<int:job_id>/labels/printed/", label_sheets.mark, name="mark_printed"),
    path("jobs/<int:job_id>/results.csv", results.results, name="results"),
    path("jobs/<int:job_id>/voids/", voids.void_list, name="voids"),
    path("jobs/<int:job_id>/voids/new/", voids.void_selection, name="void_chosen"),
    path("labels/<int:label_id>/", labels.label_file, name="label"),
    path("labels/<int:label_id>/fetch/", labels.fetch_label, name="fetch_label"),
    path("labels/<int:label_id>/void/", voids.void_label, name="void_label"),
    path("help/", help_pages.topics, name="help"),
    path("help/<slug:slug>/", help_pages.topic, name="help_page"),
    path("preferences/", preferences.preferences, name="preferences"),
    path("search/", search.search_everywhere, name="search"),
    path("sender/", senders.sender, name="sender"),
    path("uploads/new/", upload_new.upload_new, name="upload_new"),
    path("uploads/<int:upload_id>/", uploads.upload, name="upload"),
    path("uploads/<int:upload_id>/columns/", uploads.columns, name="upload_columns"),
    path("uploads/<int:upload_id>/errors.csv", uploads.errors, name="upload_errors"),
    path("uploads/<int:upload_id>/correct/", uploads.correct, name="upload_correct"),
    path("uploads/<int:upload_id>/prices/", uploads.prices, name="upload_prices"),
    path("uploads/<int:upload_id>/confirm/", uploads.confirm, name="upload_confirm"),
    path("uploads/<int:upload_id>/discard/", uploads.discard, name="upload_discard"),
]
