"""Every POST of the site and where it dies; and those addresses at which a POST leaves nothing in the books."""

from tests.crash.web_job_scenes import JOB_SCENES, RECOVERY_SCENES
from tests.crash.web_orphan_scenes import ORPHAN_SCENES
from tests.crash.web_own_scenes import ADMIN_SCENES, OWN_SCENES
from tests.crash.web_row_scenes import ROW_SCENES
from tests.crash.web_upload_scenes import UPLOAD_SCENES

SCENES = [
    *JOB_SCENES,
    *RECOVERY_SCENES,
    *ROW_SCENES,
    *ORPHAN_SCENES,
    *UPLOAD_SCENES,
    *OWN_SCENES,
    *ADMIN_SCENES,
]

_A_PAGE = "a page that only shows; whatever is sent to it, it shows itself"
_A_FILE = "a file that is made while it is sent, and kept nowhere (test_downloads_killed)"

HARMLESS = {
    "login": "a session, and when somebody signed in last: Django's, and no part of the books",
    "logout": "the end of a session: Django's, and no part of the books",
    "shipping:job_list": _A_PAGE,
    "shipping:job": _A_PAGE,
    "shipping:row": _A_PAGE,
    "shipping:label_sheets": _A_PAGE,
    "shipping:label_sheet": _A_FILE,
    "shipping:results": _A_FILE,
    "shipping:label": _A_FILE,
    "shipping:voids": _A_PAGE,
    "shipping:help": _A_PAGE,
    "shipping:help_page": _A_PAGE,
    "shipping:search": _A_PAGE,
    "shipping:upload": _A_PAGE,
    "shipping:upload_errors": _A_FILE,
    "recovery:desk": _A_PAGE,
    "recovery:banner": _A_PAGE,
    "recovery:job": _A_PAGE,
    "recovery:review_all": _A_PAGE,
    "recovery:review": _A_PAGE,
}

# What the admin changes through Django's own forms, each in one transaction of Django's.
DJANGOS_OWN_FORMS = {"auth.user", "auth.group"}
DJANGOS_OWN_ACTIONS = {"delete_selected"}
