"""A carrier that lies: each lie told to a real worker over HTTP, with each guarantee, until the job is over. Then the
books are compared with what the carrier really charged.
"""
