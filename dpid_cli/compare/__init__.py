"""One picture by many methods: side by side on a sheet, as a page, and in numbers."""
