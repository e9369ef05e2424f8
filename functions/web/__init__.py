"""The pages behind the mailed link: HTTP, forms, templates and plots."""
