"""Paths to streams and streams to paths: local files, standard input and output, S3 and SFTP.

Imported by `convert`, `batching`, `compare` and `learning`; imports nothing but `errors`.
"""
