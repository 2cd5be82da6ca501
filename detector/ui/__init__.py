"""Charts and widgets that pages share.

Everything here draws what the service layer answers; nothing reads a file, a database or a model by itself.
"""
