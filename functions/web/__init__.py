"""The pages behind the mailed link: HTTP, HTML and plots."""
