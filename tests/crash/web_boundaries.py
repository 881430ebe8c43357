"""Every POST of the site, and where it dies."""

from tests.crash.web_job_scenes import JOB_SCENES, RECOVERY_SCENES

SCENES = [*JOB_SCENES, *RECOVERY_SCENES]
