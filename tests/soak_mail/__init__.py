"""The long test of mail: workers are killed at every point of sending, the mail server fails in every way, threads are
reopened while their mails are on the way; what the mail server has taken is judged against what was to be sent. Begun
by `python -m tests.soak_mail`; a short form is among the tests.
"""
