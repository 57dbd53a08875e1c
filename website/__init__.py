"""The documentation site (`make docs`): what is made of the code beside the pages of docs/.

`hooks.py` is what MkDocs calls (`mkdocs.yml` names it). The other modules each make one kind of page: the
configuration reference of the schemas, methods and backbones of their configurations, source files that pages link to.
"""
