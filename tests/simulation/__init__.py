"""A seeded simulation of servers, clients and everything that goes wrong between them, judged by the checker.

The product's own are: the hub and its clients, the conversation, frames, openings, the journal with its SQL, chats, the
writer and the store's schema. Imagined are: the loop, the readers' threads, sockets, the bus between processes, time,
and the disk, which is a database in memory. Clients are `tests/tab.py`. Reads of the real clock decide nothing here:
all limits are lifted, and timers are the imagined loop's. Salts and ids are drawn anew in each run; what happens, and
in which order, follows from the seed.
"""
