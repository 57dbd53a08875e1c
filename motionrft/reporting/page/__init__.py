"""`report.html`: its template, style and script, and what fills them."""
