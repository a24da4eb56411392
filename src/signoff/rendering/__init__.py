"""Memos and tables as bytes: Markdown, HTML, PDF, CSV, XLSX, pictures. The same input gives the same bytes."""
