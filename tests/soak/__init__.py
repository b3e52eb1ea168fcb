"""The long test: people write as fast as they may on real servers, which are killed, while links are cut and hints are
lost, until a number of messages is acked. Each chat is judged by the checker as soon as it is over, and once more in
the end: what was judged stays. Begun by `python -m tests.soak`; a short form is a journey.
"""
