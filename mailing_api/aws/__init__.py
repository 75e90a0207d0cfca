"""Amazon Web Services: credentials, signatures and S3. botocore, an extra, is loaded when a module here is imported."""
