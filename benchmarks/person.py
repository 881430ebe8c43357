"""The person of `benchmarks.kills`: does what each line of the standard input says, and answers with a line of JSON."""

import json
import sys

from benchmarks.batch import make_job, set_up


def main(rows: int) -> None:
    """`start` the job, `resume` it if it is interrupted, tell whether it is `over`, or which rows the `books` have."""
    set_up()
    from recovery import RecoveryChoice, handle_recovery_choice
    from shipping.liveness import is_interrupted
    from shipping.models import Job, Row
    from shipping.services import JobService, Refused

    job = make_job(rows, "label_server")
    for line in sys.stdin:
        job.refresh_from_db()
        answer: object = True
        if line.strip() == "start":
            JobService().start(job.pk)
        elif line.strip() == "resume" and is_interrupted(job):
            try:
                handle_recovery_choice(RecoveryChoice.resume, job.pk, JobService())
            except Refused:
                answer = False
        elif line.strip() == "over":
            answer = job.is_over and not Row.objects.filter(job=job).owed().exists()
        elif line.strip() == "books":
            bought = Job.objects.get(pk=job.pk).labels.values_list("row__number", "attempt")
            answer = [job.reference(number, attempt) for number, attempt in bought]
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]))
