"""The pages as people use them: in a real browser, against a real web server, with workers that really die."""
