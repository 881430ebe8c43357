"""Addresses of the recovery desk."""

from django.urls import path

from recovery import correction_views, orphan_views, review_views, views

app_name = "recovery"
urlpatterns = [
    path("", views.desk, name="desk"),
    path("banner/", views.banner, name="banner"),
    path("<int:job_id>/", views.job, name="job"),
    path("<int:job_id>/resume/", views.resume, name="resume"),
    path("<int:job_id>/restart/", views.restart, name="restart"),
    path("<int:job_id>/cancel/", views.cancel, name="cancel"),
    path("<int:job_id>/check/", views.check_again, name="check_again"),
    path("<int:job_id>/comparison/", orphan_views.comparison, name="comparison"),
    path("<int:job_id>/charges/<int:orphan_id>/adopt/", orphan_views.adopt, name="adopt_orphan"),
    path("<int:job_id>/charges/<int:orphan_id>/void/", orphan_views.void, name="void_orphan"),
    path("review/", review_views.review_all, name="review_all"),
    path("<int:job_id>/review/", review_views.review, name="review"),
    path("<int:job_id>/review/ask/", review_views.ask, name="ask"),
    path("<int:job_id>/review/many/", review_views.decide_many, name="decide_many"),
    path("<int:job_id>/rows/<int:number>/", review_views.resolve, name="resolve"),
    path("<int:job_id>/rows/<int:number>/order/", correction_views.correct_order, name="correct"),
]
