"""Paths to streams and streams to paths: local files, standard input and output, S3 and SFTP.

Imported by every floor above; imports nothing but `errors`.
"""
