"""Mails that come in: read, cut down to what is new, sorted into answers, automatic replies, bounces and complaints,
checked for who sent them, and taken into the chat they belong to.
"""
