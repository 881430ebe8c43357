"""The app of interrupted jobs: facts, plans, prompts and choices."""

from django.apps import AppConfig


class RecoveryConfig(AppConfig):
    name = "recovery"
