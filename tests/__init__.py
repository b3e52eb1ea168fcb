"""The tests: people.py drives the service as people would, through its public doors."""
