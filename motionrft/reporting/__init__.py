"""Tables, figures and the page, made from the records of a run that lie on disk: nothing here trains or scores."""
