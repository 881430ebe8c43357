"""Every address of the site: the pages, the recovery desk, signing in and the admin."""

from django.contrib import admin
from django.contrib.auth import views as auth_views
from django.urls import include, path

handler500 = "shipping.views.errors.server_error"

urlpatterns = [
    path("", include("shipping.urls")),
    path("recovery/", include("recovery.urls")),
    path("login/", auth_views.LoginView.as_view(template_name="registration/login.html"), name="login"),
    path("logout/", auth_views.LogoutView.as_view(), name="logout"),
    path("admin/", admin.site.urls),
]
